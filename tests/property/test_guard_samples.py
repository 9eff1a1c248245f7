"""The guard's policy under any samples, names and rules: what it must never do, whatever comes."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oomlens.policy.candidate import Candidate
from oomlens.policy.choose import choose, why_not
from oomlens.policy.match import matches
from oomlens.policy.rankings import RANKINGS
from oomlens.policy.sample import Sample
from oomlens.policy.settings import level_kb
from oomlens.policy.state import KILL, TERM, WATCH, State
from oomlens.policy.step import acted, held_back, step, wait_seconds
from support.guard_policy import scope

TOTALS = st.sampled_from([0, 1, 1000, 1_000_000])
COUNTERS = st.none() | st.integers(0, 1 << 40)
STALLS = st.none() | st.dictionaries(st.text(max_size=3), st.integers(0, 1 << 40), max_size=3)


@st.composite
def looks(draw: st.DrawFn) -> Sample:
    """Anything that could be read; mostly low on memory."""
    total = draw(TOTALS)
    swap = draw(st.sampled_from([0, 0, 100_000]))
    return Sample(
        draw(st.floats(-10, 40)),
        total,
        int(total * draw(st.sampled_from([0.0, 0.02, 0.04, 0.09, 0.14, 0.19, 0.4, 1.0]))),
        swap,
        int(swap * draw(st.floats(0, 1))),
        file_refaults=draw(COUNTERS),
        major_faults=draw(COUNTERS),
        swapped_in_pages=draw(COUNTERS),
        memory_stall_us=draw(COUNTERS),
        io_stall_us=draw(COUNTERS),
        harm_stall_us=draw(STALLS),
    )


def holds(row: tuple[Any, ...]) -> bool:
    """Whether a piece of evidence is true of its own numbers."""
    _, value, sign, bound = row
    if sign == "in":
        return True
    return bool(value <= bound) if sign == "<=" else bool(value >= bound)


@given(
    st.lists(st.tuples(looks(), st.none() | st.booleans(), st.sampled_from(["act", "hold", "no"])), max_size=10),
    st.floats(0.001, 0.999),
    st.floats(0.0, 1000.0),
    st.floats(0.0, 6.0),
)
def test_any_samples(
    sequence: list[tuple[Sample, bool | None, str]], share: float, refaults: float, seconds: float
) -> None:
    watched = scope(
        swap_term=share,
        thrash_stall=share,
        harm_stall=share,
        thrash_refaults=refaults,
        thrash_seconds=seconds,
        harm_seconds=seconds,
    )
    state = State()
    now = 0.0
    for drawn, alive, answer in sequence:
        now += drawn.seconds
        seen = Sample(
            now, drawn.total_kb, drawn.available_kb, drawn.swap_total_kb, drawn.swap_free_kb,
            file_refaults=drawn.file_refaults, major_faults=drawn.major_faults, swapped_in_pages=drawn.swapped_in_pages,
            memory_stall_us=drawn.memory_stall_us, io_stall_us=drawn.io_stall_us, harm_stall_us=drawn.harm_stall_us,
        )  # fmt: skip
        under_way = state.phase in (TERM, KILL)
        state, decisions = step(watched, state, seen, alive=alive)
        kinds = [decision.kind for decision in decisions]
        assert kinds.count("act") <= 1
        if under_way:
            assert "act" not in kinds
        if state.phase != WATCH:
            assert "act" not in kinds
        for decision in decisions:
            if decision.kind not in ("act", "escalate", "warn"):
                continue
            assert len(decision.evidence) >= 2
            assert all(holds(row) for row in decision.evidence), decision.evidence
            if decision.kind == "act":
                limits = {"exhaustion": watched.warn, "thrash": watched.thrash_low, "harm": watched.harm_low}
                assert seen.available_kb <= level_kb(limits[decision.road or ""], seen.total_kb)
                if answer == "act":
                    state = acted(state, seen, decision.road or "", decision.strength)
                elif answer == "hold":
                    state = held_back(state, seen, decision.road)
        assert 0.02 <= wait_seconds(watched, state, seen, 1e6, 1e5) <= 10.0


NAMES = st.text(max_size=8) | st.sampled_from(["a", "*", "[", "/x.service", "/a/b.scope", "/docker/" + "0" * 64])
PATTERNS = st.text(st.sampled_from("ab*?[]!-x"), max_size=8) | st.text(max_size=6)


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    """Any process, hostile in what it can choose."""
    each = Candidate(draw(st.integers(1, 40)), draw(st.integers(0, 2000)))
    each.comm, each.cmdline = draw(NAMES), draw(NAMES)
    each.exe, each.cgroup, each.together = draw(st.none() | NAMES), draw(st.none() | NAMES), draw(st.none() | NAMES)
    each.oom_score_adj = draw(st.sampled_from([-1000, -999, 0, 1000]))
    each.rss_kb, each.swap_kb = draw(st.integers(0, 1 << 30)), draw(st.integers(0, 1 << 30))
    each.uid = draw(st.none() | st.integers(0, 3))
    each.growth_kb_per_second = draw(st.none() | st.floats(-1e9, 1e9))
    each.scanned_pages_per_second = draw(st.none() | st.floats(0, 1e9))
    each.preference = draw(st.sampled_from(["", "", "avoid", "omit"]))
    each.labels = draw(st.dictionaries(st.text(max_size=2), NAMES, max_size=2))
    return each


RULES = st.lists(
    st.fixed_dictionaries(
        {"points": st.integers(-2000, 2000)},
        optional={
            "name": PATTERNS, "cmdline": PATTERNS, "exe": PATTERNS, "unit": PATTERNS, "cgroup": PATTERNS,
            "uid": st.integers(0, 3), "label": st.tuples(st.text(max_size=2), PATTERNS).map(list),
        },
    ).filter(lambda rule: len(rule) > 1),
    max_size=3,
)  # fmt: skip


@given(
    st.lists(candidates(), max_size=8, unique_by=lambda each: each.pid).flatmap(
        lambda found: st.tuples(st.just(found), st.permutations(found))
    ),
    st.sampled_from(sorted(RANKINGS)),
    st.sampled_from(["auto", "process", "cgroup", "unit", "container", "session"]),
    st.sampled_from(["exhaustion", "thrash", "harm"]),
    RULES,
    RULES,
    st.none() | st.sampled_from(["/", "/a", "/docker"]),
    st.sets(st.integers(1, 40), max_size=3),
)
def test_any_choice(
    found: tuple[list[Candidate], list[Candidate]],
    ranking: str,
    object_: str,
    road: str,
    weights: list[dict[str, Any]],
    exempt: list[dict[str, Any]],
    limit: str | None,
    stuck: set[int],
) -> None:
    orders = []
    for arrangement in found:
        choice = choose(
            scope(ranking=ranking, object=object_), arrangement, 1_000_000, road=road, weights=weights, exempt=exempt, own_pid=9,
            limit_cgroup=limit, stuck=sorted(stuck),
        )  # fmt: skip
        orders.append([each.pid for each in choice.ranked])
        assert (choice.victim is None) == (not choice.members)
        assert (choice.victim is not None) or choice.reason
        assert choice.victim is None or choice.victim in choice.members
        for each in choice.members:
            assert each.pid not in {1, 9, *stuck}
            assert each.oom_score_adj > -1000
            assert each.preference != "omit"
            assert why_not(each, exempt, 9, sorted(stuck)) is None
        target = choice.target_cgroup
        if target is not None:
            assert target not in ("", "/")
            assert limit is None or (target + "/").startswith(limit.rstrip("/") + "/")
            # Whoever lies in it is ended with it, so all of them are members.
            inside = [each for each in arrangement if ((each.cgroup or "") + "/").startswith(target + "/")]
            assert {each.pid for each in inside} == {each.pid for each in choice.members}
    assert orders[0] == orders[1]


@given(st.text(st.sampled_from("ab*?-!x\n"), max_size=12), st.text(st.sampled_from("abx-!*?\n"), max_size=12))
def test_globs_without_brackets_are_those_of_fnmatch(pattern: str, text: str) -> None:
    assert matches(pattern, text) == fnmatchcase(text, pattern)


@given(
    st.lists(st.sampled_from(["a", "*", "?", "[ab]", "[!ab]", "[a-c]", "[!b-x]", "[]]", "[*]"]), max_size=8).map(
        "".join
    ),
    st.text(st.sampled_from("abcx]*"), max_size=8),
)
def test_globs_with_whole_brackets_too(pattern: str, text: str) -> None:
    assert matches(pattern, text) == fnmatchcase(text, pattern)


@given(st.text(max_size=10), st.text(max_size=10))
def test_any_pattern_on_any_text_answers(pattern: str, text: str) -> None:
    assert isinstance(matches(pattern, text), bool)


class Counted(str):
    """Counts how often a character of it is asked for."""

    __slots__ = ("asked",)
    asked: int

    def __getitem__(self, index: Any) -> str:
        self.asked = getattr(self, "asked", 0) + 1
        return super().__getitem__(index)


def test_many_stars_do_not_backtrack_over_each_other() -> None:
    text = Counted("a" * 200)
    assert not matches("*a" * 50 + "*b", text)
    assert text.asked < 50 * 200  # fnmatch by regular expression needs more than 10^40 steps for it
