"""Whatever processes and cgroups are called and whatever is unknown: lines fit, and inject nothing."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from oomlens.i18n import english, translator
from oomlens.kernel.cgroup_names import names_of
from oomlens.model.snapshot import CgroupUsage, HostMemory, Pressure, Process, Snapshot, Stall
from oomlens.predict import predict
from oomlens.predict.order import ordered_cgroups, ordered_processes
from oomlens.predict.view import View, view_of
from oomlens.predict.watch import Watch
from oomlens.render.sanitize import visible, width
from oomlens.render.top.cgroup_details import cgroup_lines
from oomlens.render.top.cgroups import cgroup_columns, cgroup_row
from oomlens.render.top.columns import fitting
from oomlens.render.top.details import process_lines
from oomlens.render.top.processes import process_columns, process_row, urgencies
from oomlens.render.top.scopes import scope_lines
from oomlens.render.top.styled import Line, bar, cell, sparkline, text_of, wrapped
from oomlens.render.top.totals import header_line, totals_lines

SIZES = st.none() | st.integers(0, 1 << 52)
NAMES = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=40)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    paths = ["/", *(f"/{name}" for name in names), f"/{names[0]}/{names[-1]}"]
    cgroups = []
    for path in paths:
        limit = draw(SIZES) if path != "/" else None
        cgroups.append(
            CgroupUsage(
                path=path, version=draw(st.sampled_from((1, 2))), names=names_of(path), current_bytes=draw(SIZES),
                max_bytes=limit, effective_max_bytes=limit, events=draw(st.just({}) | st.just({"oom_kill": 3, "max": 10**9})),
                oom_group=draw(st.none() | st.booleans()), swap_current_bytes=draw(SIZES),
            )
        )  # fmt: skip
    processes = tuple(
        Process(
            pid=pid, comm=draw(NAMES), state=draw(st.sampled_from("SRDZ")), ppid=1, threads=1,
            started_uptime_seconds=1.0, rss_bytes=draw(SIZES), swap_bytes=draw(SIZES), pgtables_bytes=draw(SIZES),
            oom_score_adj=draw(st.none() | st.integers(-1000, 1000)), uid=draw(st.none() | st.just(0)),
            cgroup=draw(st.none() | st.sampled_from(paths) | st.just("/elsewhere")), cmdline=draw(st.none() | st.tuples(NAMES, NAMES)),
        )
        for pid in range(1, 1 + draw(st.integers(0, 4)))
    )  # fmt: skip
    keys = ("mem_total_bytes", "mem_available_bytes", "swap_total_bytes", "swap_free_bytes")
    meminfo = {key: value for key in keys if (value := draw(SIZES)) is not None}
    stall = Stall(1.0, 2.0, 3.0, draw(st.floats(0, 1e6)))
    pressure = draw(
        st.just({}) | st.just({"memory": Pressure(stall, None)}) | st.just({"memory": Pressure(stall, stall)})
    )
    host = HostMemory(
        page_size=4096, name=draw(st.none() | NAMES), kernel_release=draw(st.none() | st.just("6.1.0")),
        uptime_seconds=draw(st.none() | st.just(5.0)), meminfo=meminfo, pressure=pressure,
    )  # fmt: skip
    return Snapshot(host, tuple(cgroups), processes)


def all_lines(view: View, watch: Watch, language: str, columns: int) -> list[Line]:
    tr = translator(language)
    lines = [header_line(view, tr, columns, every=2.0, clock="00:00:00", paused=False, graph_seconds=240.0)]
    lines += scope_lines(view.scopes, tr, columns, 5)
    lines += totals_lines(view, watch, tr, columns, 240.0)
    return lines


@settings(max_examples=30, deadline=None)
@given(snapshots(), snapshots(), st.sampled_from(("en", "ja")), st.sampled_from((80, 100, 133, 200)))
def test_every_line_fits_and_is_safe(first: Snapshot, second: Snapshot, language: str, columns: int) -> None:
    watch = Watch()
    for at, snapshot in ((100.0, first), (102.0, second)):
        watch.add(at, snapshot, predict(snapshot))
    view = view_of(102.0, second, predict(second), watch)
    for line in all_lines(view, watch, language, columns):
        assert width(text_of(line)) <= columns, text_of(line)
        assert visible(text_of(line)) == text_of(line)
    tr = translator(language)
    near = urgencies(view)
    for table, rows in (
        (process_columns(tr), [process_row(row, process_columns(tr), near, commands=True) for row in ordered_processes(view.processes, "badness")]),
        (cgroup_columns(tr), [cgroup_row(row, cgroup_columns(tr), ()) for row in ordered_cgroups(view.cgroups, "share")]),
    ):  # fmt: skip
        for row in rows:
            for column, value in zip(table, row.cells, strict=True):
                assert visible(value.text) == value.text
                if not column.rest and column.key not in ("in", "victim"):
                    assert width(value.text) <= max(column.least, width(column.title)), column.key
    details = [line for row in view.processes for line in process_lines(row, view, watch, tr, columns, {})]
    details += [line for row in view.cgroups for line in cgroup_lines(row, view, watch, tr, columns)]
    for line in details:
        assert visible(text_of(line)) == text_of(line)
        assert width(text_of(line)) <= columns, text_of(line)


@settings(deadline=None)
@given(st.text(max_size=60), st.integers(1, 40), st.booleans())
def test_a_cell_has_exactly_its_columns(text: str, columns: int, right: bool) -> None:
    assert width(cell(visible(text), columns, right=right)) == columns


@settings(deadline=None)
@given(st.text(max_size=200), st.integers(10, 60))
@example("x" * 9 + "\xa0" + "y" * 9, 10)
def test_wrapping_loses_nothing_but_blanks(text: str, columns: int) -> None:
    safe = visible(text)
    lines = [text_of(line) for line in wrapped(safe, columns)]
    assert all(width(line) <= columns for line in lines)
    assert "".join(lines).replace(" ", "") == safe.replace(" ", "")


@settings(deadline=None)
@given(st.integers(40, 250), st.sampled_from(("en", "ja")))
def test_columns_fit_or_only_the_indispensable_are_left(room: int, language: str) -> None:
    for columns in (process_columns(translator(language)), cgroup_columns(translator(language))):
        fitted = fitting(columns, room)
        total = sum(width for _, width in fitted) + len(fitted) - 1
        assert total == room or all(column.gives_way == 0 for column, _ in fitted)


def test_graphs_and_bars_by_hand() -> None:
    assert sparkline([0.0, 7.0, None, 3.5], 1.0) == "▁█ ▅"  # 3.5 of 7 is the fifth of eight steps
    assert sparkline([5.0, 5.0], 10.0) == "▁▁"
    assert sparkline([None, None], 1.0) == "  "
    assert bar(0.5, 6) == "███░░░"
    assert bar(0.001, 4) == "█░░░"  # something is not nothing
    assert bar(0.0, 4) == "░░░░"
    assert bar(None, 4) == "?   "
    assert english("x") == "x"
