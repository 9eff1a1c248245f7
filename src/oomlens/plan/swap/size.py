"""How large: from the RAM, hibernation, what is there already, and what the disk allows. Every step is shown."""

from __future__ import annotations

from dataclasses import dataclass

from oomlens.i18n import message
from oomlens.kernel.sizes import suffixed
from oomlens.kernel.swap_sizes import GIB, MIB, hibernation_size, round_down, round_up, swap_size
from oomlens.model.finding import Evidence
from oomlens.model.plan import Refusal, Text
from oomlens.plan.swap.facts import KIND, SwapFacts, SwapWish, Values

# A tenth of the file system stays free, 10 GiB at most; a size that nobody asked for takes half of what is free at most.
_KEPT_SHARE, _KEPT_MOST = 10, 10 * GIB
_LEAST = MIB
# What a shortage needs beyond itself: the next peak is not the last one.
_SHORTAGE_FACTOR = 1.25


@dataclass(frozen=True, slots=True)
class Sized:
    """size_bytes: of the new swap. kept_bytes: what must stay free on its disk."""

    size_bytes: int
    kept_bytes: int
    arithmetic: tuple[Evidence, ...]


def _evidence(name: str, value: int | None, comparison: str) -> Evidence:
    return Evidence(name, value, "bytes", comparison)


def on_disk(facts: SwapFacts) -> int:
    """The swap that is on and not in RAM."""
    return sum(swap.whole_bytes for swap in facts.swaps or () if not swap.zram)


def wanted_total(wish: SwapWish, facts: SwapFacts) -> tuple[int | None, tuple[Evidence, ...]]:
    """How much swap the machine should have altogether, from its RAM; None where that is not known."""
    ram = facts.ram_bytes
    if ram is None:
        return None, ()
    table = swap_size(ram)
    shown = [_evidence("swap_for_ram_bytes", table, f"RHEL's table for ram_bytes {ram} = {table}")]
    total = table
    if facts.hibernation:
        larger = hibernation_size(ram)
        if larger is not None:
            total = max(total, larger)
            why = f"{facts.hibernation[0]}: 3 * RAM up to 2 GiB, 2 * up to 8 GiB, 1.5 * up to 64 GiB = {larger}"
            shown.append(_evidence("hibernation_bytes", larger, why))
    if wish.shortage_bytes is not None:
        lacking = round_up(int(wish.shortage_bytes * _SHORTAGE_FACTOR))
        total = max(total, on_disk(facts) + lacking)
        why = f"{_SHORTAGE_FACTOR} * shortage {wish.shortage_bytes} rounded up = {lacking}"
        shown.append(_evidence("shortage_bytes", lacking, why))
    return total, tuple(shown)


def size_of(wish: SwapWish, facts: SwapFacts, *, beside_bytes: int = 0, replaced_bytes: int = 0) -> Sized | Refusal:
    """The size of a new swap file.

    beside_bytes: of the swap that it is to be added to, which counts as a part of what is asked for.
    replaced_bytes: of the swap that it takes the place of, which does not count as there.
    """
    there = on_disk(facts) - replaced_bytes
    free, total = facts.place.free_bytes, facts.place.total_bytes
    kept = min((total or 0) // _KEPT_SHARE, _KEPT_MOST)
    room = None if free is None else max(free - kept, 0)
    shown: list[Evidence] = []
    if room is not None:
        why = f"free {free} - kept free {kept} (a tenth of {total}, 10 GiB at most) = {room}"
        shown.append(_evidence("disk_room_bytes", room, why))
    if wish.size_bytes is not None:
        asked = max(wish.size_bytes - beside_bytes, 0)
        less = f" - there {beside_bytes} = {asked}" if beside_bytes else ""
        shown.append(_evidence("size_bytes", asked, f"asked for {wish.size_bytes}{less}"))
        return _checked(asked, kept, room, facts, tuple(shown))
    wanted, why_wanted = wanted_total(wish, facts)
    if wanted is None:
        return _refusal(facts, "ram-unknown", message("How much RAM this machine has could not be read."), {})
    shown += why_wanted
    if wanted <= there and wish.grow is not None:
        wanted = there + round_up(there // 2)
        shown.append(_evidence("half_more_bytes", wanted, f"existing {there} + half of it rounded up = {wanted}"))
    if wanted <= there:
        shown_there: Values = {"existing_bytes": there, "wanted_bytes": wanted}
        text = message(
            "There are already {existing_bytes} of swap, and {wanted_bytes} is what this machine's RAM asks for."
        )
        return _refusal(facts, "enough", text, shown_there, Text(message("For more, say how much: --size 4G.")))
    lacking = round_up(wanted - there)
    shown.append(_evidence("lacking_bytes", lacking, f"{wanted} - existing {there} rounded up = {lacking}"))
    size = lacking
    if room is not None and free is not None:
        most = round_down(min(free // 2, room))
        size = min(lacking, most)
        shown.append(_evidence("size_bytes", size, f"min({lacking}, half of free {free}, room {room}) = {size}"))
        if size < min(lacking, 64 * MIB):
            return _too_full(facts, lacking, most)
    return _checked(size, kept, room, facts, tuple(shown))


def _checked(size: int, kept: int, room: int | None, facts: SwapFacts, shown: tuple[Evidence, ...]) -> Sized | Refusal:
    size = -(-size // MIB) * MIB
    if size < _LEAST:
        return _refusal(
            facts,
            "too-small",
            message("{size_bytes} is less than a swap can be: 1 MiB at least."),
            {"size_bytes": size},
        )
    if room is not None and size > room:
        return _too_full(facts, size, round_down(room))
    return Sized(size, kept, shown)


def _too_full(facts: SwapFacts, size: int, most: int) -> Refusal:
    text = message(
        "{size_bytes} do not fit on the disk of {path}: {free_bytes} are free, and a tenth of it (10 GiB at most) is kept free."
    )
    values: Values = {"size_bytes": size, "path": facts.place.path, "free_bytes": facts.place.free_bytes}
    hint = Text(message("Make room, choose another disk with --path, or use compressed RAM: --zram."))
    if most >= 16 * MIB:
        hint = Text(
            message(
                "The most that fits: --size {most}; or choose another disk with --path, or compressed RAM: --zram."
            ),
            {"most": suffixed(most)},
        )
    return _refusal(facts, "disk-too-full", text, values, hint)


def _refusal(facts: SwapFacts, code: str, text: str, values: Values, hint: Text | None = None) -> Refusal:
    return Refusal(code, KIND, facts.place.path, Text(text, values), hint)
