"""Text files that a reader always sees whole. Not forced to the disk: the next one comes in seconds."""

from __future__ import annotations

import os
from pathlib import Path


def write_text(place: Path, text: str) -> None:
    """Replaces a file's content. The new file is hidden until it is whole. Raises OSError."""
    fresh = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        with fresh.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)  # the collector runs as another user
        fresh.replace(place)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
