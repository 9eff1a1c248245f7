"""A seed -> a mix: cgroups with limits, processes of random sizes and scores, and the one that grows until somebody dies."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any

MIB = 1 << 20
# What an interpreter that does nothing is charged with: its own memory, page tables, a kernel stack.
IDLE_BYTES = 4 * MIB
STEP_BYTES = 256 << 10
KINDS = ("cgroup", "machine", "cpuset", "mempolicy")
# Cgroups below the mix's own, parents first; processes live in those that have no child.
_TREES = (("",), ("", "a", "b"), ("", "a", "b", "b/c", "b/d"))


@dataclass(frozen=True, slots=True)
class Place:
    """A cgroup. name: below the mix's own, "" for that itself. max_bytes, swap_bytes: limits, None for none.

    nodes: where its processes may have memory (cpuset.mems), None for everywhere.
    """

    name: str
    max_bytes: int | None = None
    swap_bytes: int | None = None
    group: bool = False
    nodes: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A process. place: None for one outside of the mix's cgroups. node: where its memory is bound to, by itself."""

    place: str | None
    adj: int
    anon_bytes: int
    shared_bytes: int = 0
    threads: int = 1
    node: int | None = None


@dataclass(frozen=True, slots=True)
class Mix:
    """grows: how the grower takes memory: anon, shared (mapped), unmapped (a file in RAM that counts for no process).

    kill_the_asker: with vm.oom_kill_allocating_task. hierarchical: memory.use_hierarchy of version 1.
    """

    seed: int
    kind: str
    places: tuple[Place, ...]
    members: tuple[Member, ...]
    grower: int
    grows: str
    step_bytes: int = STEP_BYTES
    kill_the_asker: bool = False
    hierarchical: bool = True

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Room:
    """Where mixes run. free_bytes: what can be allocated where there is no limit; swap_bytes: free swap.

    version: of the cgroups. protect: whether a score below 0 may be set (CAP_SYS_RESOURCE).
    """

    free_bytes: int
    swap_bytes: int = 0
    version: int = 2
    protect: bool = True


def draw(seed: int, kind: str, room: Room) -> Mix:
    """The mix of a seed."""
    chance = Random(f"{kind}-{seed}")  # noqa: S311 - repeatable on purpose
    mix = _in_cgroups(chance, seed, room) if kind == "cgroup" else _of_machine(chance, seed, kind, room.free_bytes)
    if room.protect:
        return mix
    return replace(mix, members=tuple(replace(member, adj=abs(member.adj)) for member in mix.members))


def _adj(chance: Random) -> int:
    kind = chance.random()
    if kind < 0.45:
        return 0
    if kind < 0.65:
        return chance.randint(1, 400)
    if kind < 0.80:
        return -chance.randint(1, 400)
    if kind < 0.87:
        return chance.randint(401, 1000)
    return -chance.randint(401, 999) if kind < 0.94 else -1000


def _grows(chance: Random) -> str:
    return chance.choice(("anon", "anon", "anon", "shared", "unmapped"))


def _in_cgroups(chance: Random, seed: int, room: Room) -> Mix:
    limit = chance.randint(44, 72) * MIB
    names = chance.choice(_TREES)
    hierarchical = room.version == 2 or chance.random() < 0.7
    places = tuple(_place(chance, name, limit, room) for name in names)
    if not hierarchical:
        # Each limit is then for its own cgroup alone, so each needs one.
        places = tuple(replace(each, max_bytes=each.max_bytes or limit // 4096 * 4096) for each in places)
    leaves = [name for name in names if not any(other != name and _inside(other, name) for other in names)]
    filled = chance.uniform(0.55, 0.88)
    left = {each.name: int((each.max_bytes or limit) * filled) for each in places}
    members: list[Member] = []
    for _ in range(chance.randint(2, 6)):
        leaf = chance.choice(leaves)
        above = [name for name in names if _inside(leaf, name)]
        most = min(left[name] for name in above) - IDLE_BYTES
        if most < MIB // 2:
            continue
        size = chance.randint(MIB // 2, max(MIB // 2, min(most, limit // 2)))
        shared = size // 3 if chance.random() < 0.15 else 0
        members.append(Member(leaf, _adj(chance), size - shared, shared, chance.choice((1, 1, 1, 3))))
        for name in above:
            left[name] -= size + IDLE_BYTES
    grower = chance.randrange(len(members))
    if chance.random() < 0.4:
        members.append(Member(None, 0, chance.randint(8, 24) * MIB))
    return Mix(
        seed, "cgroup", places, tuple(members), grower, _grows(chance), chance.choice((128, 256, 512)) << 10,
        hierarchical=hierarchical,
    )  # fmt: skip


def _inside(name: str, above: str) -> bool:
    return above in ("", name) or name.startswith(above + "/")


def _place(chance: Random, name: str, limit: int, room: Room) -> Place:
    own = limit if name == "" else int(limit * chance.uniform(0.4, 0.95)) if chance.random() < 0.4 else None
    own = None if own is None else own // 4096 * 4096
    swap = chance.choice((0, 0, chance.randint(2, 16) * MIB, None)) if room.swap_bytes else 0
    if name != "" and room.swap_bytes:
        swap = chance.choice((None, None, 0, chance.randint(1, 8) * MIB))
    return Place(name, own, swap, room.version == 2 and chance.random() < 0.2)


def _of_machine(chance: Random, seed: int, kind: str, room_bytes: int) -> Mix:
    """Where the whole machine, or a memory node, is full; somebody must be killable, or the kernel panics."""
    count = chance.randint(3, 8)
    nodes = {"a": "1", "b": "0"} if kind == "cpuset" else {}
    places = tuple(Place(name, group=name != "" and chance.random() < 0.2, nodes=nodes.get(name)) for name in _TREES[1])
    shares = [chance.random() + 0.05 for _ in range(count)]
    whole = int(room_bytes * chance.uniform(0.5, 0.75)) - count * IDLE_BYTES
    members = [
        Member(
            chance.choice(("a", "b", None)),
            _adj(chance),
            max(MIB // 2, int(whole * share / sum(shares))),
            0,
            chance.choice((1, 1, 3)),
            chance.choice((None, 0, 1)) if kind == "mempolicy" else None,
        )
        for share in shares
    ]
    grower = chance.randrange(count)
    first = members[grower]
    if kind == "machine":
        if all(each.adj == -1000 for each in members):
            members[grower] = replace(first, adj=0)
    else:
        # The grower itself is bound to node 1, and may be killed.
        members[grower] = replace(first, place="a", adj=max(first.adj, -999), node=1 if kind == "mempolicy" else None)
    return Mix(
        seed, kind, places, tuple(members), grower,
        _grows(chance) if kind == "machine" else "anon",
        4 * STEP_BYTES,
        kill_the_asker=kind == "machine" and chance.random() < 0.06,
    )  # fmt: skip
