"""A machine of files on which swap can be made: /proc, /sys, /etc below a folder, and the programs that change them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oomlens.host.run import NOT_FOUND, Output
from oomlens.kernel.octal import decoded, encoded

PAGE = 4096
HEADING = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
FSTAB = b"# / was on /dev/sda1\n/dev/sda1\t/  ext4 errors=remount-ro 0 1\n\nUUID=1-2  /boot vfat\tumask=0077\t0\t1\n"


@dataclass
class SwapMachine:
    """`run` stands in for mkswap, swapon, swapoff, chattr, modprobe and systemctl.

    refuse_reserved: swapon takes only written files, as on ext4 with 5.7. busybox: swapon without -p.
    """

    root: Path
    refuse_reserved: bool = False
    refuse_all: str = ""
    busybox: bool = False
    used_kb: int = 0
    calls: list[list[str]] = field(default_factory=list)

    def run(self, arguments: Sequence[str]) -> Output:
        """What the program would do and say."""
        words = list(arguments)
        self.calls.append([word.removeprefix(str(self.root)) for word in words])
        found = getattr(self, f"_{words[0]}", None)
        return Output(NOT_FOUND, "", f"{words[0]}: not installed") if found is None else found(words[1:])

    def swaps(self) -> list[str]:
        """Names of what is on."""
        lines = (self.root / "proc/swaps").read_text(encoding="utf-8").splitlines()[1:]
        return [decoded(line.split()[0]) for line in lines]

    def _mkswap(self, words: list[str]) -> Output:
        with Path(words[-1]).open("r+b") as file:
            file.seek(1024)
            file.write(b"\1\0\0\0" + b"\0" * 8 + bytes(range(1, 17)))
            file.seek(PAGE - 10)
            file.write(b"SWAPSPACE2")
        return Output(0, "Setting up swapspace", "")

    def _swapon(self, words: list[str]) -> Output:
        place, priority = Path(words[-1]), "-2"
        if "-p" in words:
            if self.busybox:
                return Output(1, "", "swapon: invalid option -- 'p'")
            priority = words[words.index("-p") + 1]
        if self.refuse_all or (self.refuse_reserved and not _written(place)):
            return Output(255, "", self.refuse_all or f"swapon: {place}: skipping - it appears to have holes.")
        name = encoded("/" + str(place.relative_to(self.root)))
        size = place.stat().st_size // 1024 - 4
        with (self.root / "proc/swaps").open("a", encoding="utf-8") as file:
            file.write(f"{name} file\t\t{size}\t\t{self.used_kb}\t\t{priority}\n")
        return Output(0, "", "")

    def _swapoff(self, words: list[str]) -> Output:
        name = "/" + str(Path(words[-1]).relative_to(self.root))
        path = self.root / "proc/swaps"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [lines[0], *(line for line in lines[1:] if decoded(line.split()[0]) != name)]
        path.write_text("".join(kept), encoding="utf-8")
        return Output(
            0 if len(kept) < len(lines) else 255,
            "",
            "" if len(kept) < len(lines) else "swapoff failed: Invalid argument",
        )

    def _chattr(self, _words: list[str]) -> Output:
        return Output(1, "", "chattr: Operation not supported while reading flags")

    def _modprobe(self, words: list[str]) -> Output:
        place = self.root / "sys/block/zram0"
        if "-r" not in words and not place.exists():
            place.mkdir(parents=True)
            for name, content in (
                ("disksize", "0\n"),
                ("comp_algorithm", "[lzo-rle] zstd\n"),
                ("mem_limit", ""),
                ("reset", ""),
            ):
                (place / name).write_text(content, encoding="ascii")
        return Output(0, "", "")

    def _systemctl(self, words: list[str]) -> Output:
        wants = self.root / "etc/systemd/system/swap.target.wants"
        link = wants / words[-1]
        if words[0] == "enable":
            wants.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"../{words[-1]}")
        elif words[0] == "disable":
            link.unlink(missing_ok=True)
            wants.rmdir()
        elif words[0] == "is-enabled":
            return Output(0, "enabled\n", "") if link.is_symlink() else Output(1, "disabled\n", "")
        elif words[0] == "start":
            (self.root / "dev/zram0").write_bytes(b"\0" * PAGE)
            return self._swapon([str(self.root / "dev/zram0")])
        elif words[0] == "stop":
            return self._swapoff([str(self.root / "dev/zram0")])
        return Output(0, "", "")


def _written(place: Path) -> bool:
    """Whether its middle holds written data, and not blocks that are only reserved (lseek(2): SEEK_DATA)."""
    with place.open("rb") as file:
        middle = place.stat().st_size // 2
        try:
            return os.lseek(file.fileno(), middle, os.SEEK_DATA) == middle
        except OSError:
            return False


def swap_machine(folder: Path, *, fstab: bytes | None = FSTAB, meminfo_kb: int = 1 << 21) -> SwapMachine:
    """A machine with 4 GiB of RAM, half of it available, no swap, and an fstab."""
    for name in ("proc", "sys/block", "etc", "dev", "srv"):
        (folder / name).mkdir(parents=True)
    (folder / "proc/swaps").write_text(HEADING, encoding="ascii")
    (folder / "proc/meminfo").write_text(f"MemTotal: {1 << 22} kB\nMemAvailable: {meminfo_kb} kB\n", encoding="ascii")
    if fstab is not None:
        (folder / "etc/fstab").write_bytes(fstab)
    return SwapMachine(folder)
