"""The file for node_exporter's textfile collector, read by a strict parser."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.model.history import CgroupFigures, HostFigures
from oomlens.record.textfile import write_text
from oomlens.render.prometheus import exposition
from support.history import MIB, process, sample
from support.prometheus import parse

HOST = HostFigures(
    total_bytes=16 << 30,
    available_bytes=1 << 53,
    anon_bytes=5,
    some_stalled_seconds=1.5,
    full_stalled_seconds=0.0,
    oom_kills=3,
)


def test_figures_names_and_kinds() -> None:
    one = sample(
        1_800_000_000.125,
        host=HOST,
        cgroups=[
            CgroupFigures(
                "/app", 5 * MIB, effective_max_bytes=9 * MIB, file_bytes=MIB, oom_kills=1, container="web", pod="a/b"
            )
        ],
        processes=[process(7, MIB, comm="java")],
    )
    found = parse(exposition(one, history_bytes=77))
    assert found["oomlens_memory_available_bytes"].series[()] == 1 << 53
    assert found["oomlens_memory_part_bytes"].series == {(("part", "anon"),): 5.0}
    assert found["oomlens_memory_stalled_seconds_total"].kind == "counter"
    assert found["oomlens_oom_kills_total"].series[()] == 3
    app = (("cgroup", "/app"), ("container", "web"), ("pod", "a/b"))
    assert found["oomlens_cgroup_held_bytes"].series[app] == 4 * MIB
    assert found["oomlens_cgroup_limit_bytes"].series[app] == 9 * MIB
    assert found["oomlens_process_held_bytes"].series[(("cgroup", "/"), ("comm", "java"), ("pid", "7"))] == MIB
    assert found["oomlens_sample_timestamp_seconds"].series[()] == 1_800_000_000.125
    assert found["oomlens_history_bytes"].series[()] == 77


def test_what_is_not_known_has_no_line() -> None:
    found = parse(exposition(sample(5.0, host=HostFigures())))
    assert list(found) == ["oomlens_sample_timestamp_seconds"]


@given(st.text(max_size=30))
def test_any_name_stays_one_label(name: str) -> None:
    rows = [process(7, MIB, comm=name), process(8, MIB, comm=name)]
    found = parse(exposition(sample(5.0, processes=rows, cgroups=[CgroupFigures(name, 5, container=name)])))
    shown = name.encode("utf-8", "backslashreplace").decode()
    labels = [dict(labels)["comm"] for labels in found["oomlens_process_held_bytes"].series]
    assert labels == [shown, shown]


def test_the_file_is_replaced_whole_and_its_temporary_is_no_prom(tmp_path: Path) -> None:
    place = tmp_path / "oomlens.prom"
    write_text(place, "a 1\n")
    write_text(place, "a 2\n")
    assert place.read_text(encoding="utf-8") == "a 2\n"
    assert [file.name for file in tmp_path.iterdir()] == ["oomlens.prom"]
    assert place.stat().st_mode & 0o777 == 0o644
    with pytest.raises(OSError, match="No such file"):
        write_text(tmp_path / "nowhere/x.prom", "a 1\n")
