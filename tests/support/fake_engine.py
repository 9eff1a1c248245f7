"""An engine that answers as Docker 20.10 or Podman 4.3 do, on a unix socket of a test's own, in this process.

Its answers were recorded from real ones (`engines/*.json`); how `update` behaves was measured on both (a live test holds this
against the real Docker). It moves the files of a fake cgroup tree as the kernel would, so that what an engine says and what the
kernel does can differ here too.
"""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ANSWERS = Path(__file__).parent / "engines"
UNLIMITED = (1 << 63) - 4096
LEAST = 6 << 20
PAGE = 4096


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class LostError(Exception):
    """The connection breaks before an answer."""


@dataclass
class FakeContainer:
    """memory, memsw, pids: as the engine says (0, -1). k_…: as the kernel has them. usage: bytes that cannot be reclaimed."""

    name: str
    number: int
    memory: int = 0
    memsw: int = 0
    pids: int | None = None
    running: bool = True
    usage: int = 10 << 20
    cache: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    image: str = "oomtest:1"
    oom_killed: bool = False
    exit_code: int = 0
    restarts: int = 0
    policy: str = "no"
    oom_kill_disabled: bool = False
    reservation: int = 0
    oom_events: int = 0
    kills: int = 0
    k_memory: int = UNLIMITED
    k_memsw: int = UNLIMITED
    k_swap: int = UNLIMITED  # version 2 limits swap, not the sum
    k_pids: int | None = None
    peak: int = 0

    @property
    def id(self) -> str:
        return f"{self.number:064x}"

    @property
    def pid(self) -> int:
        return 4000 + self.number if self.running else 0


class FakeEngine:
    """root: below it are /proc/PID/cgroup and /sys/fs/cgroup. kind: "docker-20.10" or "podman-4.3"."""

    def __init__(self, socket: Path, root: Path, *, kind: str = "docker-20.10", cgroup_version: int = 1) -> None:
        self.socket, self.root, self.kind, self.cgroup_version = socket, root, kind, cgroup_version
        self.answers: dict[str, Any] = json.loads((ANSWERS / f"{kind}.json").read_text(encoding="utf-8"))
        self.answers["info"]["CgroupVersion"] = str(cgroup_version)
        self.containers: list[FakeContainer] = []
        self.calls: list[tuple[str, str, Any]] = []
        self.below = ""  # the cgroup that the engine itself is in, with a slash
        self.lies = False  # says yes to an update and does nothing
        self.lost_after: int | None = None  # after so many updates the connection breaks
        for folder in ("proc/self", "sys/fs/cgroup/memory" if cgroup_version == 1 else "sys/fs/cgroup"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        if cgroup_version == 1:
            (root / "sys/fs/cgroup/memory/memory.usage_in_bytes").write_text("0\n", encoding="ascii")
        else:
            (root / "sys/fs/cgroup/cgroup.controllers").write_text("cpu memory pids\n", encoding="ascii")

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def podman(self) -> bool:
        return self.kind.startswith("podman")

    def run(self, name: str, **about: Any) -> FakeContainer:
        """A new container, started."""
        made = FakeContainer(name, len(self.containers) + 1 + 0xC0FFEE, **about)
        self.containers.append(made)
        if made.memory and not made.memsw:
            made.memsw = 2 * made.memory
        made.peak = made.peak or made.usage
        self._start(made)
        return made

    def restart(self, container: FakeContainer) -> None:
        """Stopped and started: what the engine stored holds."""
        container.running = True
        self._start(container)

    def remove(self, container: FakeContainer) -> None:
        self.containers.remove(container)

    def grow(self, container: FakeContainer, usage: int) -> None:
        """It holds so much now; the kernel kills at the limit."""
        container.usage = usage
        self._judge(container)

    def _start(self, container: FakeContainer) -> None:
        container.k_memory = container.memory or UNLIMITED
        container.k_memsw = UNLIMITED if container.memsw in (0, -1) else container.memsw
        container.k_swap = UNLIMITED if container.memsw in (0, -1) else container.memsw - container.memory
        container.k_pids = container.pids or None
        self._judge(container)

    def _judge(self, container: FakeContainer) -> None:
        if container.running and container.usage > min(container.k_memory, container.k_memsw):
            container.oom_events += 1
            if not container.oom_kill_disabled:
                container.kills += 1
                container.running, container.exit_code = False, 137
                container.oom_killed = not self.podman  # Podman 4.3 does not notice
        self._write(container)

    def _write(self, container: FakeContainer) -> None:
        """The kernel's files."""
        path = self.below + (f"libpod_parent/libpod-{container.id}" if self.podman else f"docker/{container.id}")
        if not container.pid:
            return
        proc = self.root / f"proc/{container.pid}"
        proc.mkdir(exist_ok=True)
        if self.cgroup_version == 2:
            (proc / "cgroup").write_text(f"0::/{path}\n", encoding="ascii")
            swap = "max" if container.k_swap >= UNLIMITED else str(container.k_swap // PAGE * PAGE)
            memory = "max" if container.k_memory >= UNLIMITED else str(container.k_memory // PAGE * PAGE)
            files = {"memory.max": memory, "memory.swap.max": swap, "pids.max": str(container.k_pids or "max")}
            files |= {"memory.peak": str(container.peak), "memory.events": f"oom_kill {container.kills}"}
            self._files(self.root / "sys/fs/cgroup" / path, files)
            return
        lines = f"4:memory:/{path}\n3:pids:/{path}\n"
        (proc / "cgroup").write_text(lines, encoding="ascii")
        files = {
            "memory.limit_in_bytes": str(container.k_memory // PAGE * PAGE),
            "memory.memsw.limit_in_bytes": str(container.k_memsw // PAGE * PAGE),
            "memory.max_usage_in_bytes": str(container.peak),
            "memory.oom_control": f"oom_kill_disable 0\nunder_oom 0\noom_kill {container.kills}",
        }
        self._files(self.root / "sys/fs/cgroup/memory" / path, files)
        self._files(self.root / "sys/fs/cgroup/pids" / path, {"pids.max": str(container.k_pids or "max")})

    @staticmethod
    def _files(folder: Path, files: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in files.items():
            (folder / name).write_text(f"{value}\n", encoding="ascii")

    def find(self, name: str) -> FakeContainer:
        for container in self.containers:
            if name == container.name or (len(name) >= 4 and container.id.startswith(name)):
                return container
        raise RefusedError(404, f"No such container: {name}")

    def inspect(self, container: FakeContainer) -> dict[str, Any]:
        found: dict[str, Any] = deepcopy(self.answers["inspect"])
        found |= {"Id": container.id, "Name": f"/{container.name}", "RestartCount": container.restarts}
        found["HostConfig"] |= {
            "Memory": container.memory,
            "MemorySwap": container.memsw,
            "PidsLimit": container.pids,
            "MemoryReservation": container.reservation,
            "OomKillDisable": container.oom_kill_disabled,
            "RestartPolicy": {"Name": container.policy, "MaximumRetryCount": 0},
        }
        found["State"] |= {
            "Status": "running" if container.running else "exited",
            "Running": container.running,
            "Pid": container.pid,
            "OOMKilled": container.oom_killed,
            "ExitCode": container.exit_code,
        }
        found["Config"] |= {"Image": container.image, "Labels": container.labels}
        return found

    def stats(self, container: FakeContainer) -> dict[str, Any]:
        found: dict[str, Any] = deepcopy(self.answers["stats"])
        if not container.running:
            return {**found, "memory_stats": {}}
        memory: dict[str, Any] = {"usage": container.usage + container.cache, "limit": container.memory or 1 << 34}
        if not self.podman:
            memory["stats"] = {("total_" if self.cgroup_version == 1 else "") + "inactive_file": container.cache}
            memory |= {"max_usage": container.peak} if self.cgroup_version == 1 else {}
        return {**found, "memory_stats": memory}

    def update(self, container: FakeContainer, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST /containers/ID/update of Docker 20.10 with runc 1.1, as measured."""
        memory, memsw, pids = body.get("Memory", 0), body.get("MemorySwap", 0), body.get("PidsLimit")
        if memsw > 0 and not self.answers["info"]["SwapLimit"]:
            memsw = -1  # "Your kernel does not support swap limit capabilities"
        if memory and memory < LEAST:
            raise RefusedError(400, "Minimum memory limit allowed is 6MB")
        if memory > 0 and 0 < memsw < memory:
            raise RefusedError(400, "Minimum memoryswap limit should be larger than memory limit, see usage")
        if self.lies:
            return {"Warnings": []}
        if self.lost_after is not None:
            self.lost_after -= 1
            if self.lost_after < 0:
                raise LostError
        if memory > 0 and not memsw and (container.memsw == -1 or memory > container.memsw):
            text = "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
            raise RefusedError(409, f"Cannot update container {container.id}: {text}")
        if container.running:
            self._to_kernel(container, memory, max(0, memsw))  # -1 is stored, and not handed on
        container.memory = memory or container.memory
        container.memsw = memsw or container.memsw
        if pids is not None:
            container.pids = max(0, pids)
            container.k_pids = pids if pids > 0 else None
        self._judge(container)
        return {"Warnings": ["IPv4 forwarding is disabled. Networking will not work."]}

    def _to_kernel(self, container: FakeContainer, memory: int, memsw: int) -> None:
        start = f"Cannot update container {container.id}: runc did not terminate successfully: exit status 1: "
        if self.cgroup_version == 1 and memory:
            if memory < container.usage:
                text = f"unable to set memory limit to {memory} (current usage: {container.usage}, peak usage: {container.peak})"
                raise RefusedError(500, f"{start}{text}\n: unknown")
            if not memsw and memory > container.k_memsw:
                raise RefusedError(
                    500, f'{start}failed to write "{memory}": write …/memory.limit_in_bytes: invalid argument'
                )
        self._set(container, memory, memsw)

    def _set(self, container: FakeContainer, memory: int, memsw: int) -> None:
        """Memory, and memory with swap; 0 leaves it."""
        container.k_memory = min(memory, UNLIMITED) if memory else container.k_memory
        container.k_swap = (
            memsw - container.k_memory if 0 < memsw < UNLIMITED or (memsw and memory) else container.k_swap
        )
        if self.cgroup_version == 1:
            container.k_memsw = min(memsw, UNLIMITED) if memsw else container.k_memsw
        else:
            container.k_memsw = min(container.k_memory + container.k_swap, UNLIMITED)

    def update_podman(self, container: FakeContainer, body: Mapping[str, Any]) -> str:
        """POST /libpod/containers/ID/update of Podman 4.3: the cgroup changes, what inspect shows does not."""
        memory = body.get("memory") or {}
        limit, swap = memory.get("limit", 0), memory.get("swap", 0)
        failed = f"`runc update --resources=/var/tmp/podman1 {container.id}` failed: exit status 1"
        if not container.running:
            raise RefusedError(500, failed)
        if limit > 0 and (limit < container.usage or (not swap and limit > container.k_memsw)):
            raise RefusedError(500, failed)
        if swap < 0:
            container.k_swap = container.k_memsw = UNLIMITED
        self._set(container, UNLIMITED if limit < 0 else limit, max(0, swap))
        if "pids" in body:
            container.k_pids = body["pids"]["limit"] if body["pids"]["limit"] > 0 else None
        self._judge(container)
        return container.id

    def answer(self, method: str, target: str, body: Any) -> Any:
        """One request. Raises RefusedError."""
        url = urlsplit(target)
        path = re.sub(r"^/v[\d.]+", "", url.path)
        self.calls.append((method, path, body))
        match path.strip("/").split("/"):
            case ["version"]:
                return self.answers["version"]
            case ["info"]:
                return self.answers["info"]
            case ["events"]:
                wanted = json.loads(parse_qs(url.query)["filters"][0])["container"]
                count = sum(one.oom_events for one in self.containers if one.id in wanted)
                return [{"status": "oom", "Type": "container", "Action": "oom"}] * count
            case ["containers", "json"]:
                return [self._listed(container) for container in self.containers]
            case ["containers", name, "json"]:
                return self.inspect(self.find(name))
            case ["containers", name, "stats"]:
                return self.stats(self.find(name))
            case ["containers", name, "update"] if method == "POST" and not self.podman:
                return self.update(self.find(name), body)
            case ["libpod", "containers", name, "update"] if method == "POST" and self.podman:
                return self.update_podman(self.find(name), body)
        raise RefusedError(404, "page not found")

    def _listed(self, container: FakeContainer) -> dict[str, Any]:
        found: dict[str, Any] = deepcopy(self.answers["list"])
        state = "running" if container.running else "exited"
        return found | {"Id": container.id, "Names": [f"/{container.name}"], "Labels": container.labels, "State": state}


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    engine: FakeEngine


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer("GET", None)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self._answer("POST", json.loads(self.rfile.read(length) or b"null"))

    def _answer(self, method: str, body: Any) -> None:
        try:
            status, answer = 200, self.server.engine.answer(method, self.path, body)
        except RefusedError as error:
            status, answer = error.status, {"message": str(error)}
        except LostError:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if "/events" in self.path and status == 200:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for each in (*(json.dumps(one).encode() + b"\n" for one in answer), b""):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(each), each))
            return
        data = json.dumps(answer).encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing."""

    def address_string(self) -> str:
        return "unix"


@contextmanager
def serving(engine: FakeEngine) -> Iterator[FakeEngine]:
    """The engine on its socket."""
    server = _Server(str(engine.socket), _Handler)
    server.engine = engine
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield engine
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
        engine.socket.unlink(missing_ok=True)
