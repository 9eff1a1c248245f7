"""Packages of the distribution, fetched once by the host's own apt-get."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

CACHE = Path(os.environ.get("GUARDBENCH_CACHE") or Path.home() / ".cache/guardbench")
# packages that the guards declare but that nothing in the virtual machine uses
SKIP = {
    "kmod", "linux-base", "initramfs-tools", "dracut", "linux-initramfs-tool", "adduser", "apt", "cdebconf", "dbus", "debconf", "dmsetup",
    "dpkg", "elogind", "init-system-helpers", "install-info", "lsb-base", "mailcap", "media-types", "mime-support", "mount", "opensysusers",
    "passwd", "perl", "perl-base", "perl-modules-5.36", "systemd", "systemd-standalone-sysusers", "sysvinit-utils", "tar", "usr-is-merged",
    "usrmerge",
}  # fmt: skip
APT_CACHE = (
    "apt-cache",
    "depends",
    "--no-recommends",
    "--no-suggests",
    "--no-conflicts",
    "--no-breaks",
    "--no-replaces",
)


def say(*words: object) -> None:
    """A line of progress."""
    print("guardbench:", *words, file=sys.stderr, flush=True)


def depends(names: Sequence[str]) -> list[str]:
    """Names that the packages depend on (the first alternative of each group)."""
    done = subprocess.run([*APT_CACHE, "--no-enhances", *names], capture_output=True, text=True, check=False)
    found: list[str] = []
    in_alternatives = virtual = False
    for line in done.stdout.splitlines():
        if match := re.match(r"\s+(\|?)(?:Pre-?)?Depends: (\S+)", line):
            if not in_alternatives:
                found.append(match.group(2).split(":")[0])
                virtual = match.group(2).startswith("<")
            in_alternatives = bool(match.group(1))
        elif virtual and line.startswith("    "):
            found[-1] = line.strip()
            virtual = False
        else:
            in_alternatives = virtual = False
    return [name for name in found if not name.startswith("<")]


def closure(names: Iterable[str]) -> list[str]:
    """The packages and all they need, less SKIP. apt-cache is slow, so the answer is kept."""
    file = CACHE / "closures.json"
    known: dict[str, list[str]] = json.loads(file.read_text()) if file.exists() else {}
    wanted = set(names)
    key = " ".join(sorted(wanted))
    if key not in known:
        seen: set[str] = set()
        while wanted:
            seen |= wanted
            wanted = set(depends(sorted(wanted))) - seen - SKIP
        known[key] = sorted(seen)
        CACHE.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(known, indent=1))
    return known[key]


def fetch(names: Iterable[str]) -> dict[str, Path]:
    """The file of each package."""
    folder = CACHE / "debs"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(names)
    missing = [name for name in wanted if name not in _present(folder)]
    if missing:
        say("downloading", *missing)
        subprocess.run(["apt-get", "-qq", "download", *missing], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    have = _present(folder)
    return {name: have[name] for name in wanted}


def _present(folder: Path) -> dict[str, Path]:
    return {file.name.split("_")[0]: file for file in folder.glob("*.deb")}


def unpack(deb: Path, root: Path) -> None:
    """Put a package's files below a folder, less what nobody reads there."""
    leave = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/i18n", "./usr/lib/*/gconv")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as source:
        command: list[str | Path] = [
            "tar",
            "-x",
            "--keep-directory-symlink",
            *(f"--exclude={one}" for one in leave),
            "-C",
            root,
        ]
        subprocess.run(command, stdin=source.stdout, check=True)


def kernel_package() -> str:
    """The newest kernel for virtual machines."""
    for meta in ("linux-image-cloud-amd64", "linux-image-amd64"):
        for name in closure({meta}):
            if re.match(r"linux-image-\d", name):
                return name
    raise SystemExit("guardbench: no kernel package found through apt-cache; run apt-get update")
