"""Docker and Podman over their unix socket: finding it, asking it. Nothing here changes anything.

The client is the `docker` package (extra `containers`), which Podman's socket answers too; it is imported when a socket is asked.
"""

from __future__ import annotations

import os
import stat
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from oomlens.model.container import EngineFact, EngineKind

if TYPE_CHECKING:
    from types import TracebackType

    from docker import APIClient

TIMEOUT_SECONDS = 30
_ONE_SHOT_SINCE = (1, 41)


class EngineError(Exception):
    """An engine that cannot be asked, or refuses.

    code: "sdk-missing", "no-socket", "not-allowed", "not-a-socket", "not-answering" or "refused". where: the socket.
    """

    def __init__(self, code: str, where: str, why: str = "") -> None:
        super().__init__(f"{where}: {why or code}")
        self.code, self.where, self.why = code, where, why


def hosts(environ: Mapping[str, str], uid: int) -> tuple[tuple[EngineKind | None, str], ...]:
    """Where an engine may listen, as its own command line looks: the environment first, then the usual sockets."""
    own = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    found: list[tuple[EngineKind | None, str]] = []
    found += [(None, environ["DOCKER_HOST"])] if environ.get("DOCKER_HOST") else []
    found += [(EngineKind.PODMAN, environ["CONTAINER_HOST"])] if environ.get("CONTAINER_HOST") else []
    found += [
        (EngineKind.DOCKER, "unix:///var/run/docker.sock"),
        (EngineKind.DOCKER, f"unix://{own}/docker.sock"),
        (EngineKind.PODMAN, "unix:///run/podman/podman.sock"),
        (EngineKind.PODMAN, f"unix://{own}/podman/podman.sock"),
    ]
    return tuple(dict.fromkeys(found))


def socket_problem(host: str) -> str | None:
    """Why a socket cannot be asked, as a code of EngineError; None where it can be tried."""
    path = path_of(host)
    if path is None:
        return "not-a-socket"
    try:
        about = path.stat()
    except PermissionError:
        return "not-allowed"
    except OSError:
        return "no-socket"
    if not stat.S_ISSOCK(about.st_mode):
        return "not-a-socket"
    return None if os.access(path, os.R_OK | os.W_OK) else "not-allowed"


def path_of(host: str) -> Path | None:
    """The socket's path; None of another kind of address."""
    path = host.removeprefix("unix://") if host.startswith("unix://") else host
    return Path(path) if path.startswith("/") else None


class Engine:
    """An open connection. client: of the `docker` package. Use it in a `with`."""

    def __init__(self, host: str) -> None:
        """Raises EngineError."""
        self.host = host if "://" in host else f"unix://{host}"
        problem = socket_problem(self.host)
        if problem is not None:
            raise EngineError(problem, self.host)
        try:
            with warnings.catch_warnings():  # of releases that requests does not know: nothing of it is used here
                warnings.simplefilter("ignore")
                from docker import APIClient
        except ImportError as error:
            raise EngineError("sdk-missing", self.host, str(error)) from error
        self.client: APIClient = self._ask(
            lambda: APIClient(base_url=self.host, version="auto", timeout=TIMEOUT_SECONDS)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.client.close()

    def _ask(self, call: Callable[[], Any]) -> Any:
        """The answer; None where there is no such thing (404). Raises EngineError."""
        from docker.errors import APIError, DockerException, NotFound
        from requests.exceptions import RequestException

        try:
            return call()
        except NotFound:
            return None
        except APIError as error:
            raise EngineError("refused", self.host, str(error.explanation or error)) from error
        except (DockerException, RequestException, OSError, ValueError) as error:
            code = "not-allowed" if "Permission denied" in str(error) else "not-answering"
            raise EngineError(code, self.host, str(error)) from error

    def version(self) -> Mapping[str, Any]:
        """ContainerVersion of the API. Raises EngineError."""
        return _mapping(self._ask(self.client.version))

    def fact(self) -> EngineFact:
        """What it is, and what it may limit. Raises EngineError."""
        version = self.version()
        names = [str(part.get("Name", "")) for part in version.get("Components") or ()]
        info = _mapping(self._ask(self.client.info))
        security = [str(option) for option in info.get("SecurityOptions") or ()]
        group = str(info.get("CgroupVersion") or "")
        return EngineFact(
            kind=EngineKind.PODMAN if any("Podman" in name for name in names) else EngineKind.DOCKER,
            host=self.host,
            version=str(version.get("Version") or ""),
            cgroup_version=int(group) if group.isdecimal() else None,
            limits_memory=info.get("MemoryLimit"),
            limits_swap=info.get("SwapLimit"),
            rootless=bool(info.get("Rootless")) or any(option.startswith("name=rootless") for option in security),
            ram_bytes=info.get("MemTotal") or None,
        )

    def inspect(self, name: str) -> Mapping[str, Any] | None:
        """A container by name or id; None where there is none. Raises EngineError."""
        found = self._ask(lambda: self.client.inspect_container(name))
        return None if found is None else _mapping(found)

    def containers(self) -> Sequence[Mapping[str, Any]]:
        """All containers, in brief. Raises EngineError."""
        return [_mapping(one) for one in self._ask(lambda: self.client.containers(all=True)) or ()]

    def stats(self, name: str) -> Mapping[str, Any]:
        """Usage now; nothing of a container that is not there. Raises EngineError."""
        numbers = tuple(int(part) for part in self.client.api_version.split(".") if part.isdecimal())
        # One look is enough, where the engine knows that; else it takes two, a second apart.
        shot = {"one_shot": True} if numbers >= _ONE_SHOT_SINCE else {}
        return _mapping(self._ask(lambda: self.client.stats(name, stream=False, **shot)))

    def oom_events(self, container_id: str) -> int | None:
        """How many `oom` events of a container it remembers; None where it cannot tell."""
        filters = {"container": [container_id], "event": ["oom"]}

        def count() -> int:
            events = self.client.events(since=1, until=int(time.time()), filters=filters, decode=True)
            return sum(1 for _ in events)

        try:
            return int(self._ask(count) or 0)
        except EngineError:
            return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
