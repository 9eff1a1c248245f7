"""The guards: a folder (or a tarball of one) with a script `start`, a `guard.json` and, for oomlens, what is made of its sources."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from packages import CACHE

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent.parent / "src"


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard: its name, its folder, packages, the workloads that it asks for, and the parts of src/ that it runs."""

    name: str
    folder: Path
    debs: list[str] = field(default_factory=list)
    works: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


def load(spec: str, scratch: Path) -> Guard:
    """A guard by the name of its folder under guards/, by a folder or by a tarball."""
    folder = Path(spec)
    if (HERE / "guards" / spec).is_dir():
        folder = HERE / "guards" / spec
    elif folder.is_file():
        folder = _unpacked(folder, scratch)
    elif not folder.is_dir():
        raise SystemExit(f"guardbench: no such guard: {spec}")
    folder = folder.resolve()
    name = folder.name.removeprefix("guard-")
    file = folder / "guard.json"
    info = json.loads(file.read_text()) if file.exists() else {}
    if info.get("sources"):
        folder = _with_sources(name, folder, info["sources"])
    return Guard(name, folder, info.get("debs", []), info.get("works", []), info.get("sources", []))


def _unpacked(tarball: Path, scratch: Path) -> Path:
    folder = scratch / ("guard-" + re.sub(r"\.(tar.*|tgz)$", "", tarball.name))
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-xf", tarball.resolve(), "-C", folder], check=True)
    inner = list(folder.iterdir())
    return inner[0] if not (folder / "start").exists() and len(inner) == 1 else folder


def _with_sources(name: str, folder: Path, sources: list[str]) -> Path:
    """A copy of the folder with these parts of src/, and each configuration (*.toml) as the table that the loop reads."""
    # Always at the same place: the table names its source, and the root image is kept by its content.
    made = CACHE / "work/folders" / name
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(folder, made, symlinks=True)
    for part in sources:
        source, target = SOURCES / part, made / "src" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for config in sorted(made.glob("*.toml")):
        config.chmod(0o600)  # a configuration that others could write is refused
        config.with_suffix(".table").write_bytes(compiled(config))
    return made


def compiled(config: Path) -> bytes:
    """The marshalled table of a configuration, by our own program. Marshal's format is the same from Python 3.8 to 3.13."""
    done = subprocess.run(
        [sys.executable, "-m", "oomlens", "guard", "config", "--compile", config],
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"guardbench: {config.name}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
