"""A real Podman in a folder of a test's own, its service on a socket there; fetched as Docker is (`docker_engine`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.docker_engine import ENGINE, IMAGE, busybox_image, cache, unpacked, wanted

PACKAGES = ("podman", "conmon", "libsubid4", "libgpgme11", "libassuan0", "golang-github-containers-common")
CONTAINERS_CONF = """[containers]
default_ulimits = ["nofile=1000:1000", "nproc=1000:1000"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
conmon_path = ["{conmon}"]
[engine.runtimes]
runc = ["{runc}"]
"""


@dataclass(frozen=True)
class RealPodman:
    """A running service, and the program that speaks to the same storage."""

    folder: Path
    environment: dict[str, str]

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/s"

    def command(self, *arguments: str) -> list[str]:
        storage = ["--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run", "--tmpdir", f"{self.folder}/tmp"]
        return ["podman", *storage, *arguments]

    def podman(self, *arguments: str, data: bytes | None = None, check: bool = True) -> str:
        """The engine's own command line: the oracle."""
        done = subprocess.run(
            self.command(*arguments), env=self.environment, input=data, capture_output=True, check=False, timeout=120
        )
        if check and done.returncode != 0:
            raise AssertionError(f"podman {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout.decode().strip()

    def run(self, name: str, *options: str, command: Sequence[str]) -> None:
        """A container in the background."""
        self.podman("run", "-d", "--name", name, "--network", "none", "--pids-limit", "0", *options, IMAGE, *command)


@contextmanager
def real_podman() -> Iterator[RealPodman]:
    """Podman, and its service on a socket."""
    wanted()
    tree, docker = unpacked(PACKAGES, cache() / "podman"), unpacked(ENGINE, cache() / "docker")
    kept = Path("/run/runc").exists()
    with TemporaryDirectory(prefix="oomlens-podman-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        engine = RealPodman(folder, _environment(folder, tree, docker))
        process = subprocess.Popen(
            engine.command("system", "service", "--time=0", engine.host), env=engine.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait(engine, process)
            engine.podman("import", "-", IMAGE, data=busybox_image(folder / "image", engine.environment["PATH"]))
            yield engine
        finally:
            with suppress(AssertionError, subprocess.TimeoutExpired):
                engine.podman("rm", "-f", "-t", "0", "--all", check=False)
            process.terminate()
            process.wait(timeout=30)
            _clean(folder, kept)


def _environment(folder: Path, tree: Path, docker: Path) -> dict[str, str]:
    settings = folder / "home/.config/containers"
    settings.mkdir(parents=True)
    (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}', encoding="ascii")
    text = CONTAINERS_CONF.format(conmon=tree / "usr/bin/conmon", runc=docker / "usr/sbin/runc")
    (settings / "containers.conf").write_text(text, encoding="ascii")
    storage = f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n'
    (settings / "storage.conf").write_text(storage, encoding="ascii")
    return {
        **os.environ,
        "HOME": str(folder / "home"),
        "PATH": f"{tree}/usr/bin:{docker}/usr/sbin:{docker}/bin:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": f"{tree}/usr/lib/x86_64-linux-gnu",
        "CONTAINERS_CONF": str(settings / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(settings / "storage.conf"),
    }


def _wait(engine: RealPodman, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            pytest.skip("podman system service ended")
        if (engine.folder / "s").exists():
            return
        time.sleep(0.1)
    pytest.skip("podman system service did not answer")


def _clean(folder: Path, kept: bool) -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for place in sorted((one for one in mounts if one.startswith(str(folder))), reverse=True):
        subprocess.run(["umount", place], check=False, capture_output=True)
    for group in Path("/sys/fs/cgroup").glob("*/libpod_parent"):
        with suppress(OSError):
            for inner in [*group.iterdir(), group]:
                if inner.is_dir():
                    inner.rmdir()
    if not kept:
        shutil.rmtree("/run/runc", ignore_errors=True)
