"""What the flight recorder's history becomes in `top`."""

from __future__ import annotations

import time
from pathlib import Path

from oomlens.model.history import CgroupFigures, HostFigures
from oomlens.predict.watch_past import past_of
from support.fake_machine import FakeMachine, write
from support.history import BOOT, MIB, process, sample, write_history
from support.top_driver import Driver, drive


def test_curves_are_taken_from_samples_of_this_boot() -> None:
    host = HostFigures(
        total_bytes=100, available_bytes=60, swap_total_bytes=10, swap_free_bytes=None, some_avg10_percent=2.5
    )
    group = CgroupFigures("/a", current_bytes=50 * MIB, file_bytes=8 * MIB, slab_reclaimable_bytes=2 * MIB)
    samples = (
        sample(10.0, boot_id="another", processes=[process(5, 3 * MIB)], cgroups=[group], host=host),
        sample(20.0, processes=[process(5, 4 * MIB), process(6, None)], cgroups=[group], host=host),
    )
    past = past_of(samples, BOOT)
    assert past.host == {"ram_used_bytes": [(10.0, 40), (20.0, 40)], "some_percent": [(10.0, 2.5), (20.0, 2.5)]}
    assert past.processes == {(5, 1.0): [(20.0, 4 * MIB)]}
    assert past.cgroups == {"/a": [(20.0, 40 * MIB)]}  # 50 - 8 - 2
    assert not past_of(samples, None).processes


def test_graphs_and_details_begin_with_what_was_recorded(tmp_path: Path) -> None:
    def setup(machine: FakeMachine) -> None:
        write(machine.proc / "sys/kernel/random/boot_id", f"{BOOT}\n")
        begun = time.time() - 7200
        samples = [
            sample(
                begun + 60 * minute, uptime=100.0 + 60 * minute, total=1000 * MIB, available=(900 - 5 * minute) * MIB,
                processes=[process(50, (20 + minute) * MIB, comm="postgres")],
            )
            for minute in range(110)
        ]  # fmt: skip
        write_history(tmp_path / "var/lib/oomlens/history", samples)

    async def script(top: Driver) -> None:
        await top.until(lambda: len(top.app.state.watch.host["ram_used_bytes"]) > 100, "the past")
        await top.press("t", "t")
        assert "graphs 3 h" in top.lines[0]
        graph = top.begins("RAM ").split()[-1]
        assert graph[0] == "▁"
        assert len(set(graph)) > 5  # a slope, not a point
        await top.press("j", "enter")
        growth = top.begins("growth")
        assert "20.0 MiB to 146 MiB in 2 h" in growth or "20 MiB to 146 MiB in 2 h" in growth

    drive(tmp_path, script, setup=setup)
