"""What goes wrong with a value: refused, disruptive (done only when it is allowed by its id) or worth a warning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Text

KIB = 1024
# min_free_kbytes: below 1 MiB the machine "will become subtly broken" (vm.rst); above 5 % of RAM it is killed for nothing.
_LEAST_FREE_KBYTES, _MOST_FREE_SHARE = 1024, 0.05
_MOST_RESERVE_SHARE = 0.10
_CLOSE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Machine:
    """What traps look at; sizes in bytes, None where it is not known. values: settings as they are, by key."""

    ram_bytes: int | None = None
    available_bytes: int | None = None
    hugetlb_bytes: int | None = None
    hugepage_bytes: int | None = None
    swap_bytes: int | None = None
    zram: bool = False
    committed_bytes: int | None = None
    own_swappiness: str | None = None
    values: Mapping[str, str | None] = field(default_factory=dict)

    def number(self, key: str, wanted: Mapping[str, int]) -> int | None:
        """A setting as it will be: the wanted value, else the one now."""
        if key in wanted:
            return wanted[key]
        now = self.values.get(key)
        return int(now) if now is not None and now.lstrip("-").isdecimal() else None


class Trap(NamedTuple):
    """grade: "refused", "disruptive" or "warning". code: of a refusal. hint: what to do instead."""

    grade: str
    text: Text
    code: str = ""
    hint: Text | None = None
    evidence: tuple[Evidence, ...] = ()


Check = Callable[[int, Mapping[str, int], Machine], Iterator[Trap]]


def traps(wanted: Mapping[str, int], machine: Machine) -> Iterator[tuple[str, Trap]]:
    """What stands out, with the key it is about."""
    for key, value in wanted.items():
        check = _CHECKS.get(key)
        if check is not None:
            for trap in check(value, wanted, machine):
                yield key, trap


def _warning(text: str, **values: int | str | None) -> Trap:
    return Trap("warning", Text(text, values))


def _swappiness(value: int, _wanted: Mapping[str, int], machine: Machine) -> Iterator[Trap]:
    if value == 0:
        text = message(
            "vm.swappiness=0 is dangerous: memory cgroups are killed while swap is still free (measured). 1 is enough."
        )
        yield Trap("disruptive", Text(text))
    elif value > 100:
        yield _warning(message("Kernels before 5.8 refuse more than 100; then everything is taken back."))
    if machine.zram and 0 < value < 100:
        text = message(
            "This machine swaps to zram: 100 to 180 suits it; {value} makes it drop cache that is costlier to read back."
        )
        yield _warning(text, value=value)
    if machine.swap_bytes == 0:
        yield _warning(message("There is no swap, so it changes nothing yet: oomlens plan swap"))
    if machine.own_swappiness is not None:
        text = message(
            "Cgroups of version 1 that exist keep a swappiness of their own, such as {cgroup}: memory.swappiness."
        )
        yield _warning(text, cgroup=machine.own_swappiness)


def _overcommit(_value: int, wanted: Mapping[str, int], machine: Machine) -> Iterator[Trap]:
    mode = machine.number("vm/overcommit_memory", wanted)
    if mode == 2:
        yield from _strict(wanted, machine)
    elif mode == 1 and "vm/overcommit_memory" in wanted:
        text = message(
            "With 1 nothing is ever refused: what was promised and does not fit ends in kills. Redis asks for it, for fork."
        )
        yield _warning(text)


def _strict(wanted: Mapping[str, int], machine: Machine) -> Iterator[Trap]:
    """CommitLimit against what is promised; a limit that only rises is no danger."""
    limit, told = _commit_limit(wanted, machine)
    committed = machine.committed_bytes
    if limit is None or committed is None:
        text = message("Strict overcommit: how much is promised already could not be read, so it cannot be checked.")
        yield Trap("refused", Text(text), "commit-unknown")
        return
    shown = (
        Evidence("commit_limit_bytes", limit, "bytes", f"{told} = {limit}"),
        Evidence("committed_bytes", committed, "bytes", f"Committed_AS {committed} <= {limit}"),
    )
    values = {"committed_bytes": committed, "limit_bytes": limit}
    if committed > limit:
        text = message(
            "Strict overcommit: {committed_bytes} are promised already, the limit would be {limit_bytes}; nothing could start"
            " any more."
        )
        hint = message("Raise the limit with it, such as vm.overcommit_ratio=100, or add swap first: oomlens plan swap")
        yield Trap("refused", Text(text, values), "commit-exceeded", Text(hint), shown)
        return
    before = _commit_limit({}, machine)[0] if machine.number("vm/overcommit_memory", {}) == 2 else None
    text = message(
        "Strict overcommit: {committed_bytes} of {limit_bytes} are promised already; beyond that allocations fail, and not"
        " every program takes it well."
    )
    yield Trap(
        "warning" if before is not None and limit >= before else "disruptive", Text(text, values), evidence=shown
    )
    if committed > _CLOSE_SHARE * limit:
        yield _warning(message("Less than a tenth of that is left."))


def _commit_limit(wanted: Mapping[str, int], machine: Machine) -> tuple[int | None, str]:
    """As mm/util.c (vm_commit_limit) counts it, with the arithmetic; None where something of it is not known."""
    kbytes, ratio = machine.number("vm/overcommit_kbytes", wanted), machine.number("vm/overcommit_ratio", wanted)
    if "vm/overcommit_ratio" in wanted and "vm/overcommit_kbytes" not in wanted:
        kbytes = 0
    ram, swap, huge = machine.ram_bytes, machine.swap_bytes, machine.hugetlb_bytes or 0
    if ram is None or swap is None or (not kbytes and ratio is None):
        return None, ""
    if kbytes:
        return swap + kbytes * KIB, f"{kbytes} kB + swap {swap}"
    return swap + (ram - huge) * (ratio or 0) // 100, f"(RAM {ram} - huge pages {huge}) * {ratio} % + swap {swap}"


def _min_free(value: int, _wanted: Mapping[str, int], machine: Machine) -> Iterator[Trap]:
    ram = machine.ram_bytes
    if value < _LEAST_FREE_KBYTES:
        text = message("vm.min_free_kbytes below 1024 breaks the machine under load (vm.rst).")
        yield Trap("refused", Text(text), "too-small", Text(message("Leave it to the kernel, or 1 % of the RAM.")))
    if ram is None:
        return
    most = int(ram * _MOST_FREE_SHARE)
    shown = (Evidence("min_free_bytes", value * KIB, "bytes", f"{value} kB <= 5 % of ram_bytes {ram} = {most}"),)
    if value * KIB > most:
        text = message(
            "{value_bytes} kept free are more than 5 % of the RAM ({most_bytes}); too much of it kills at once (vm.rst)."
        )
        hint = Text(message("1 % of this machine's RAM: vm.min_free_kbytes={kbytes}"), {"kbytes": ram // 100 // KIB})
        yield Trap("refused", Text(text, {"value_bytes": value * KIB, "most_bytes": most}), "too-large", hint, shown)
    else:
        yield Trap("evidence", Text(""), evidence=shown)


def _scale(value: int, _wanted: Mapping[str, int], machine: Machine) -> Iterator[Trap]:
    if machine.ram_bytes is not None and value > 500:
        text = message("The low and high watermarks lie {value_bytes} apart each: twice that is kept free.")
        yield _warning(text, value_bytes=machine.ram_bytes * value // 10000)


def _panic(value: int, wanted: Mapping[str, int], machine: Machine) -> Iterator[Trap]:
    if not value:
        return
    texts = {
        1: message("vm.panic_on_oom=1: the next shortage of the machine stops everything on it, not one process."),
        2: message("vm.panic_on_oom=2: even a container at its own limit stops the whole machine."),
    }
    yield Trap("disruptive", Text(texts[value]))
    if machine.number("kernel/panic", wanted) == 0:
        yield _warning(
            message("kernel.panic is 0: after a panic the machine stays down until somebody resets it: kernel.panic=10")
        )


def _allocating(value: int, _wanted: Mapping[str, int], _machine: Machine) -> Iterator[Trap]:
    if value:
        yield _warning(
            message("Whoever asks for memory at that moment dies, however small, and whatever its oom_score_adj says.")
        )


def _dump_tasks(value: int, _wanted: Mapping[str, int], _machine: Machine) -> Iterator[Trap]:
    if not value:
        yield _warning(message("Without the table of processes the next kill can hardly be explained."))


def _cache_pressure(value: int, _wanted: Mapping[str, int], _machine: Machine) -> Iterator[Trap]:
    if value == 0:
        text = message(
            "vm.vfs_cache_pressure=0: these caches are never reclaimed, which by itself ends in kills (vm.rst)."
        )
        yield Trap("disruptive", Text(text))
    elif value > 1000:
        yield _warning(message("Far above 100 the kernel searches for caches that are not there (vm.rst)."))


def _hugepages(value: int, _wanted: Mapping[str, int], machine: Machine) -> Iterator[Trap]:
    now = machine.number("vm/nr_hugepages", {})
    size, available = machine.hugepage_bytes, machine.available_bytes
    if now is None or size is None or available is None or value <= now:
        return
    more = (value - now) * size
    shown = (Evidence("more_bytes", more, "bytes", f"({value} - {now}) * {size} <= available {available}"),)
    if more > available:
        text = message("{more_bytes} more of huge pages do not fit: {available_bytes} are available.")
        yield Trap("refused", Text(text, {"more_bytes": more, "available_bytes": available}), "too-large", None, shown)
    else:
        text = message("{more_bytes} are lost to everything that does not use huge pages.")
        yield Trap("warning", Text(text, {"more_bytes": more}), evidence=shown)


def _reserve(value: int, _wanted: Mapping[str, int], machine: Machine) -> Iterator[Trap]:
    ram = machine.ram_bytes
    if ram is not None and value * KIB > ram * _MOST_RESERVE_SHARE:
        text = message("{value_bytes} in reserve are more than a tenth of the RAM.")
        yield Trap("refused", Text(text, {"value_bytes": value * KIB}), "too-large")


_CHECKS: Mapping[str, Check] = {
    "vm/admin_reserve_kbytes": _reserve,
    "vm/min_free_kbytes": _min_free,
    "vm/nr_hugepages": _hugepages,
    "vm/oom_dump_tasks": _dump_tasks,
    "vm/oom_kill_allocating_task": _allocating,
    "vm/overcommit_kbytes": _overcommit,
    "vm/overcommit_memory": _overcommit,
    "vm/overcommit_ratio": _overcommit,
    "vm/panic_on_oom": _panic,
    "vm/swappiness": _swappiness,
    "vm/user_reserve_kbytes": _reserve,
    "vm/vfs_cache_pressure": _cache_pressure,
    "vm/watermark_scale_factor": _scale,
}
