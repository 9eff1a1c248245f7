"""A real Docker in a folder of a test's own: nothing is installed, and nothing is left.

Where OOMLENS_DOCKER is set: to a folder whose usr/bin and usr/sbin have dockerd, containerd and runc, or to 1: then those of the
machine, or Debian's packages are fetched by apt-get and unpacked into the cache folder. Docker is started without a network.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ENGINE = ("docker.io", "containerd", "runc", "tini", "busybox-static")
COMPOSE = (
    "docker-compose", "python3-docker", "python3-dockerpty", "python3-docopt", "python3-dotenv", "python3-jsonschema",
    "python3-requests", "python3-texttable", "python3-websocket", "python3-yaml", "python3-cached-property",
    "python3-distro", "python3-attr", "python3-pyrsistent", "python3-urllib3", "python3-charset-normalizer",
    "python3-chardet", "python3-idna", "python3-certifi", "python3-six", "python3-packaging", "python3-pkg-resources",
)  # fmt: skip
IMAGE = "oomtest:1"
_LEFT = (Path("/run/docker"), Path("/run/containerd"), Path("/opt/containerd"))
_START_SECONDS = 60


def wanted() -> str:
    """What OOMLENS_DOCKER says; skips where it says nothing."""
    found = os.environ.get("OOMLENS_DOCKER", "")
    if not found:
        pytest.skip("starts a Docker of its own and kills in it: OOMLENS_DOCKER=1 (root)")
    if os.geteuid() != 0:
        pytest.skip("a Docker of its own needs root")
    return found


def unpacked(packages: Sequence[str], folder: Path) -> Path:
    """Debian's packages in a folder, fetched once; skips where they cannot be had."""
    done = folder / ".done"
    if done.exists() and done.read_text(encoding="ascii").split() == list(packages):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "debs").mkdir(parents=True)
    got = subprocess.run(["apt-get", "download", *packages], cwd=folder / "debs", capture_output=True, check=False)
    if got.returncode != 0:
        pytest.skip(f"apt-get download {packages[0]}: {got.stderr.decode()[-200:]}")
    for package in sorted((folder / "debs").iterdir()):
        subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)
    shutil.rmtree(folder / "debs")
    done.write_text(" ".join(packages), encoding="ascii")
    return folder


def cache() -> Path:
    """Where packages are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "oomlens-tests"


@dataclass(frozen=True)
class RealDocker:
    """A running engine. programs: PATH for its own programs. compose: a tree with docker-compose, None where there is none."""

    folder: Path
    programs: str
    compose: Path | None = None

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/s"

    def docker(self, *arguments: str, check: bool = True, data: bytes | None = None) -> str:
        """The engine's own command line: the oracle."""
        done = subprocess.run(
            ["docker", "--host", self.host, *arguments], env={**os.environ, "PATH": self.programs}, input=data,
            capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout.decode().strip()

    def limits(self, name: str) -> tuple[int, int]:
        """Memory, and memory with swap, as the engine's own program reads them back."""
        memory, memsw = self.docker("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}", name).split()
        return int(memory), int(memsw)

    def run(self, name: str, *options: str, command: Sequence[str]) -> None:
        """A container in the background."""
        self.docker("run", "-d", "--name", name, "--network", "none", *options, IMAGE, *command)

    def ended(self, name: str) -> int:
        """Its exit code, once it has ended. Its flag OOMKilled is set a moment later, or never (moby issue 15621)."""
        return int(self.docker("wait", name))

    def start_again(self, name: str) -> int:
        """Started, and its exit code once it has ended."""
        self.docker("start", name)
        return self.ended(name)

    def compose_up(self, folder: Path) -> None:
        """docker-compose up -d."""
        assert self.compose is not None
        environment: Mapping[str, str] = {
            **os.environ,
            "DOCKER_HOST": self.host,
            "PYTHONPATH": str(self.compose / "usr/lib/python3/dist-packages"),
        }
        program = [str(self.compose / "usr/bin/docker-compose"), "--no-ansi", "up", "-d"]
        done = subprocess.run(
            ["/usr/bin/python3", *program], cwd=folder, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()


def hold(mebibytes: int) -> tuple[str, ...]:
    """A program that holds so much at once and ends; the kernel kills it where that is more than the limit."""
    return ("/bin/busybox", "dd", "if=/dev/zero", "of=/dev/null", f"bs={mebibytes}M", "count=1")


def keep(mebibytes: int) -> tuple[str, ...]:
    """A program that holds so much and goes on."""
    return ("/bin/sh", "-c", f"busybox dd if=/dev/zero bs={mebibytes}M count=1 | sleep 1000")


@contextmanager
def real_docker() -> Iterator[RealDocker]:
    """Docker, started and stopped; with an image that holds busybox."""
    said = wanted()
    tree = Path(said) if said != "1" else None
    programs = f"{tree}/usr/sbin:{tree}/usr/bin:{os.environ['PATH']}" if tree else os.environ["PATH"]
    if shutil.which("dockerd", path=programs) is None or not _busybox(programs):
        tree = unpacked(ENGINE, cache() / "docker")
        programs = f"{tree}/usr/sbin:{tree}/usr/bin:{tree}/bin:{os.environ['PATH']}"
    before = {place for place in _LEFT if place.exists()} | set(Path("/sys/fs/cgroup").glob("*/docker"))
    with TemporaryDirectory(prefix="oomlens-docker-", ignore_cleanup_errors=True) as name:
        engine = RealDocker(Path(name), programs)
        process = _start(engine)
        try:
            engine.docker("import", "-", IMAGE, data=busybox_image(engine.folder / "image", engine.programs))
            yield engine
        finally:
            _stop(engine, process)
            _clean(engine.folder, before)


def _busybox(programs: str) -> str | None:
    found = shutil.which("busybox", path=programs)
    return found if found and b"statically linked" in subprocess.run(["file", found], capture_output=True, check=False).stdout else None  # fmt: skip


def _start(engine: RealDocker) -> subprocess.Popen[bytes]:
    options = [
        "--data-root", f"{engine.folder}/data", "--exec-root", f"{engine.folder}/exec", "--pidfile", f"{engine.folder}/pid",
        "--host", engine.host, "--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-forward=false",
        "--ip-masq=false", "--oom-score-adjust", "0",
    ]  # fmt: skip
    with (engine.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["dockerd", *options], env={**os.environ, "PATH": engine.programs}, stdout=log, stderr=log
        )
    for _ in range(_START_SECONDS * 10):
        if process.poll() is not None:
            pytest.skip(
                f"dockerd ended: {(engine.folder / 'log').read_text(encoding='utf-8', errors='replace')[-300:]}"
            )
        if engine.docker("version", "-f", "{{.Server.Version}}", check=False):
            return process
        time.sleep(0.1)
    process.terminate()
    process.wait(timeout=30)
    pytest.skip("dockerd did not answer")


def busybox_image(image: Path, programs: str) -> bytes:
    """The packed files of an image that holds busybox; made in a folder."""
    (image / "bin").mkdir(parents=True)
    (image / "tmp").mkdir()
    busybox = _busybox(programs)
    assert busybox is not None
    shutil.copy(busybox, image / "bin/busybox")
    for name in ("sh", "sleep"):
        (image / "bin" / name).symlink_to("busybox")
    return subprocess.run(["tar", "-C", str(image), "-c", "."], capture_output=True, check=True).stdout


def _stop(engine: RealDocker, process: subprocess.Popen[bytes]) -> None:
    with suppress(AssertionError, subprocess.TimeoutExpired):
        containers = engine.docker("ps", "-aq", check=False).split()
        if containers:
            engine.docker("rm", "-f", *containers, check=False)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=30)


def _clean(folder: Path, before: set[Path]) -> None:
    """Mounts below the folder, cgroups and folders that were not there before."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for place in sorted((one for one in mounts if one.startswith(str(folder))), reverse=True):
        subprocess.run(["umount", place], check=False, capture_output=True)
    for group in Path("/sys/fs/cgroup").glob("*/docker"):
        if group not in before:
            _remove_cgroup(group)
    for left in _LEFT:
        if left not in before:
            shutil.rmtree(left, ignore_errors=True)


def _remove_cgroup(group: Path) -> None:
    for inner in sorted((one for one in group.rglob("*") if one.is_dir()), reverse=True):
        with suppress(OSError):
            inner.rmdir()
    for _ in range(20):
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.1)
