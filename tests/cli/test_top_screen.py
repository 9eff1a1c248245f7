"""`top` in Textual's own harness: what stands on the screen, what keys and the mouse do, and what never happens."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from oomlens.render.sanitize import width
from support.fake_machine import FakeMachine, write
from support.top_driver import KILLED, Driver, drive

HOSTILE_SHOWN = "[red]x\\x1b[31m\\n]"


def test_what_is_needed_first_stands_on_top_in_80_by_24(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        assert len(top.lines) == 24
        assert "NEXT KILL" in top.lines[1]
        # 300000 kB available and 400000 kB of swap; browser counts 120000 kB and 300 thousandths of 1500000 kB.
        assert "the machine" in top.lines[2]
        assert "684Mi" in top.lines[2]
        assert "browser[60]" in top.lines[2]
        # 10 MiB of room, 1 MiB of page cache, 391 MiB of swap.
        assert "db.service" in top.text
        assert "! postgres[50]" in top.text
        assert "684Mi of 977Mi" in top.line("RAM ")
        assert "97.7Mi of 488Mi" in top.line("swap ")
        assert "some 1.5 %" in top.line("stalled ")
        assert "following" in top.line("no kill is known")
        for word in ("PID", "RSS", "PSS", "SWAP", "GROWTH/s", "BADNESS", "ADJ", "LEFT", "NAME"):
            assert word in top.line("  PID ")
        assert " q quit" in top.lines[-1]
        assert " ? help" in top.lines[-1]

    drive(tmp_path, script)


def test_the_next_victims_are_marked(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        assert top.line("  60 ").startswith(">>")
        assert top.line("  50 ").startswith(" > ")
        await top.press("s")
        assert top.line("  61 ").startswith("   ")

    drive(tmp_path, script)


def test_keys_sort_and_the_heading_says_so(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        assert top.rows[:3] == ["60", "50", "51"]
        await top.press("s")
        assert "by RSS" in top.text
        assert top.rows[:3] == ["61", "50", "60"]
        await top.press("s", "s")
        assert "by swap" in top.text
        assert top.rows[0] == "51"
        await top.press("r")
        assert "by swap^" in top.text
        await top.press("S", "S")
        assert "by RSS" in top.text

    drive(tmp_path, script)


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        at = top.line("  PID ").index("SWAP")
        await top.pilot.click("#processes", offset=(at, 0))
        assert top.rows[0] == "51"
        await top.pilot.click("#processes", offset=(at, 0))
        assert "by swap^" in top.text
        at = top.line("  PID ").index("NAME")
        await top.pilot.click("#processes", offset=(at, 0))
        assert top.rows[0] == "51"  # [ comes before letters
        assert top.rows[1] == "60"

    drive(tmp_path, script)


def test_growth_is_seen_after_the_second_reading(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        assert " ? " in top.line("  50 ")
        top.machine.add_process(50, b"postgres", anon_kb=154_096, cgroup="0::/system.slice/db.service")
        await top.read(2.0)
        assert "+2Mi" in top.line("  50 ")  # 4096 kB in 2 seconds
        await top.press("s", "s", "s", "s")
        assert "by growth" in top.text
        assert top.rows[0] == "50"

    drive(tmp_path, script)


def test_pss_is_read_for_visible_rows_only(tmp_path: Path) -> None:
    def setup(machine: FakeMachine) -> None:
        for pid in (50, 100):
            write(machine.proc / str(pid) / "smaps_rollup", "x\nRss: 9 kB\nPss:  51200 kB\n")

    async def script(top: Driver) -> None:
        await top.read()
        assert "50Mi" in top.line("  50 ")
        assert 50 in top.app.reader.wanted
        assert 100 not in top.app.reader.wanted  # a small one, below the screen
        await top.press("s", "s")
        assert "by PSS" in top.text
        assert 100 in top.app.reader.wanted
        await top.read()
        assert top.rows[:2] == ["50", "100"]

    drive(tmp_path, script, setup=setup)


def test_a_filter_narrows_while_it_is_typed_and_escape_takes_it_away(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.press("slash", *"db.serv")
        assert top.rows == ["50"]
        assert "filter: db.serv" in top.text
        assert "show all" in top.lines[-1]
        await top.press("enter")
        assert top.rows == ["50"]
        await top.press("2")
        assert top.rows == ["/", "/system.slice", "/system.slice/db.service"]
        await top.press("1", "escape")
        assert len(top.rows) > 5
        await top.press("slash", *"nothing like it")
        assert "no row has all these words: nothing like it" in top.text
        await top.press("escape")
        assert len(top.rows) > 5
        # Keys mean keys again.
        await top.press("question_mark")
        assert top.on_page()

    drive(tmp_path, script)


def test_details_say_why_the_score_and_which_limits(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.press("j", "enter")
        assert "postgres[50]" in top.text
        assert "postgres -D /srv/data" in top.line("command")
        assert "146 MiB (anon 146 MiB" in top.line("RSS")
        assert "number 2" in top.begins("badness ")
        assert "rss 37500 + swap 0 + pgtables 0 = 37500 pages" in top.text
        assert "db.service" in top.line("next in")
        assert "a database" in top.text
        await top.press("G")
        assert "190 MiB of 200 MiB (95 %)" in top.text
        await top.press("escape")
        assert "BADNESS" in top.text

    drive(tmp_path, script)


def test_details_stand_beside_the_table_where_there_is_room(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.press("enter")
        assert "BADNESS" in top.text
        assert "browser[60]" in top.line("  PID ")
        await top.press("down")
        assert "postgres[50]" in top.line("  PID ")

    drive(tmp_path, script, size=(160, 40))


def test_the_tree_opens_and_closes(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.press("2")
        assert top.rows[:3] == ["/", "/system.slice", "/system.slice/db.service"]
        assert "/user.slice/user-1000.slice" not in top.rows
        await top.press("e")
        assert "/user.slice/user-1000.slice" in top.rows
        await top.press("g", "j", "h")
        assert "/system.slice/db.service" not in top.rows
        await top.press("l")
        assert "/system.slice/db.service" in top.rows
        await top.press("j", "left")
        assert top.app.main.table.chosen == "/system.slice"

    drive(tmp_path, script)


def test_a_cgroup_is_shown_against_its_limit(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.press("2")
        cells = next(line for line in top.lines[10:] if "db.service" in line).split()
        # used, limit, share, held (without 1 MiB of page cache), no swap file, left, times the limit was hit, kills
        assert cells == ["db.service", "190Mi", "200Mi", "95", "%", "189Mi", "?", "402Mi", "12", "0"]
        await top.press("j", "j", "enter")
        assert "/system.slice/db.service" in top.line("path")
        assert "max 12" in top.line("events")
        assert "postgres[50]" in top.line("next victim")

    drive(tmp_path, script)


def test_a_kill_appears_and_its_diagnosis_opens(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        assert "no kill is known" in top.text
        top.log_a_kill()
        await top.until(lambda: "KILLED" in top.text, "the kill")
        await top.until(lambda: len(top.app.state.incidents.kills) == 2, "both kills")
        await top.press("3")
        assert KILLED in top.text
        await top.press("G", "enter")
        assert top.on_page()
        assert KILLED in top.text
        assert "OOM101" in top.text
        await top.press("q")
        assert not top.on_page()
        await top.press("1", "o")
        assert "gunpowder-memho[1667]" in top.text

    drive(tmp_path, script)


def test_a_kill_is_announced_to_who_reads_a_page(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.press("question_mark")
        top.log_a_kill()
        await top.until(lambda: "KILLED" in top.text, "the alarm")

    drive(tmp_path, script)


def test_where_no_log_can_be_followed_counters_tell_of_kills_and_it_is_said(tmp_path: Path) -> None:
    def setup(machine: FakeMachine) -> None:
        shutil.rmtree(machine.proc.parent / "var")

    async def script(top: Driver) -> None:
        assert "kills are only counted" in top.text
        write(top.machine.proc / "vmstat", "nr_free_pages 50000\noom_kill 6\n")
        write(top.machine.cgroup / "system.slice/db.service/memory.events", "high 0\nmax 12\noom 1\noom_kill 1\n")
        await top.read()
        assert "KILLED 1 in /system.slice/db.service" in top.text
        await top.press("3")
        assert "/system.slice/db" in top.line("1 by counter   ")
        assert "only counted" in top.text
        await top.press("enter")
        assert not top.on_page()

    drive(tmp_path, script, setup=setup)


@pytest.mark.parametrize(("language", "words"), [("en", ("Keys", "next victim")), ("ja", ("キー", "次の被害プロセス"))])
def test_help_and_unknowns_in_both_languages(tmp_path: Path, language: str, words: tuple[str, str]) -> None:
    async def script(top: Driver) -> None:
        await top.press("question_mark")
        assert all(word in top.text for word in words)
        await top.press("escape", "u")
        assert "settings.panic" in top.text
        await top.press("escape")
        assert words[1].upper() in top.text.upper()

    drive(tmp_path, script, language=language)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_line_is_wider_than_the_terminal_and_no_column_is_torn(tmp_path: Path, language: str) -> None:
    async def script(top: Driver) -> None:
        await top.read()
        for columns, lines in ((80, 24), (100, 30), (160, 48), (50, 15), (12, 5), (2, 1)):
            await top.pilot.resize_terminal(columns, lines)
            for pane in "321":
                await top.press(pane)
                assert len(top.lines) == lines
                assert {width(line) for line in top.lines} == {columns}
            if columns >= 80:
                for value in ("PID", "RSS", "BADNESS", "60", "browser"):
                    assert value in top.text

    drive(tmp_path, script, language=language)


def test_a_terminal_that_changes_its_size_is_filled_anew(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.pilot.resize_terminal(160, 48)
        await top.pilot.pause()
        assert "CGROUP" in top.text  # room for two tables
        assert " IN " in top.line("  PID ")
        await top.pilot.resize_terminal(60, 16)
        await top.pilot.pause()
        assert len(top.lines) == 16
        assert "PSS" not in top.line("  PID ")
        assert "browser" in top.text

    drive(tmp_path, script)


def test_the_mouse_chooses_rows_tables_and_keys(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.pilot.click("#processes", offset=(10, 2))
        assert top.app.main.table.chosen == "50"
        await top.pilot.double_click("#processes", offset=(10, 2))
        assert "number 2" in top.begins("badness ")
        await top.press("escape")
        await top.pilot.click("#tabs", offset=(top.line("cgroups").index("cgroups"), 0))
        assert "CGROUP" in top.text
        await top.pilot.click("#top", offset=(top.lines[2].index("browser"), 2))
        assert top.app.main.table.chosen == "60"
        await top.pilot.click("#keys", offset=(top.lines[-1].index("help"), 0))
        assert top.on_page()

    drive(tmp_path, script)


def test_n_goes_from_victim_to_victim(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.press("2", "n")
        assert top.app.main.table.chosen == "60"
        await top.press("n")
        assert top.app.main.table.chosen == "50"
        await top.press("n")
        assert top.app.main.table.chosen == "51"
        await top.press("n")
        assert top.app.main.table.chosen == "60"

    drive(tmp_path, script)


def test_the_chosen_row_stays_chosen_when_the_order_changes(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.press("j")
        assert top.app.main.table.chosen == "50"
        top.machine.add_process(50, b"postgres", anon_kb=900_000, cgroup="0::/system.slice/db.service")
        await top.read()
        assert top.rows[0] == "50"
        assert top.app.main.table.chosen == "50"
        shutil.rmtree(top.machine.proc / "50")
        await top.read()
        assert top.app.main.table.chosen == "60"

    drive(tmp_path, script)


def test_vim_keys_and_pages_move(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        first = top.rows[0]
        await top.press("G")
        assert first not in top.rows
        await top.press("k", "pageup", "ctrl+u", "g")
        assert top.app.main.table.chosen == first
        await top.press("ctrl+f", "ctrl+d", "j")
        assert top.app.main.table.place > 10

    drive(tmp_path, script)


def test_a_pause_holds_the_screen_but_not_the_kills(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        await top.press("p")
        assert "paused" in top.lines[0]
        top.machine.add_process(99, b"newcomer", anon_kb=400_000)
        await top.read()
        assert "newcomer" not in top.text
        top.log_a_kill()
        await top.until(lambda: "KILLED" in top.text, "the kill")
        await top.press("p")
        await top.until(lambda: "newcomer" in top.text, "the newcomer")

    drive(tmp_path, script)


def test_the_interval_changes_within_bounds(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        top.app.reader.interval = 2.0
        await top.press("plus")
        assert "every 4 s" in top.lines[0]
        await top.press(*["minus"] * 9)
        assert "every 0.2 s" in top.lines[0]

    drive(tmp_path, script)


def test_hostile_names_inject_nothing(tmp_path: Path) -> None:
    async def script(top: Driver) -> None:
        assert HOSTILE_SHOWN in top.line("  51 ")
        await top.press("slash", *"[red]", "enter")
        assert top.rows == ["51"]
        await top.press("enter")
        assert HOSTILE_SHOWN in top.text
        for strip in top.app.screen._compositor.render_strips():
            for segment in strip:
                assert segment.text.isprintable()
                if HOSTILE_SHOWN in segment.text:
                    assert segment.style is None or segment.style.color is None

    drive(tmp_path, script)


def test_what_cannot_be_read_is_a_question_mark_with_its_reason(tmp_path: Path) -> None:
    def setup(machine: FakeMachine) -> None:
        shutil.rmtree(machine.proc / "pressure")
        (machine.proc / "meminfo").unlink()
        shutil.rmtree(machine.cgroup)
        (machine.proc / "60/status").write_text("Name:\tx\nUid:\t1000\t0\t0\t0\n", encoding="ascii")

    async def script(top: Driver) -> None:
        assert "this kernel does not provide it" in top.line("stalled")
        assert top.line("the machine").split()[2] == "?"
        assert "? of ?" in top.line("RAM")
        assert "? cgroups: no" in top.text
        await top.press("slash", *"browser", "enter")
        cells = top.line("  60 ").split()
        assert cells[:6] == ["60", "?", "?", "?", "?", "?"]
        await top.press("escape", "2")
        assert "no memory controller is mounted" in top.text
        await top.press("u")
        assert "meminfo" in top.text

    drive(tmp_path, script, setup=setup)


def test_in_a_container_it_is_said_that_others_are_not_seen(tmp_path: Path) -> None:
    def setup(machine: FakeMachine) -> None:
        (machine.proc / "self/ns/pid").unlink()
        (machine.proc / "self/ns/pid").symlink_to("pid:[4026532999]")

    async def script(top: Driver) -> None:
        assert "? in a container" in top.text
        await top.press("u")
        assert "outside of it are not seen" in " ".join(top.text.split())

    drive(tmp_path, script, setup=setup)


def test_hidden_processes_are_said_to_be_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oomlens.host.read.snapshot.os.geteuid", lambda: 1000)

    def setup(machine: FakeMachine) -> None:
        hidden = "31 1 0:28 / /proc rw - proc proc rw,hidepid=invisible\n"
        with (machine.proc / "self/mountinfo").open("a", encoding="ascii") as file:
            file.write(hidden)

    async def script(top: Driver) -> None:
        assert "? processes: /proc" in top.text

    drive(tmp_path, script, setup=setup)


def test_cgroups_of_version_1_have_their_own_counters(tmp_path: Path) -> None:
    def setup(machine: FakeMachine) -> None:
        shutil.rmtree(machine.cgroup)
        mount = "31 1 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        write(machine.proc / "self/mountinfo", mount)
        machine.add_v1("/", usage_in_bytes=300 << 20)
        machine.add_v1(
            "/db", limit_in_bytes=200 << 20, usage_in_bytes=190 << 20, failcnt=77,
            oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        )  # fmt: skip
        write(machine.proc / "50/cgroup", "9:memory:/db\n")

    async def script(top: Driver) -> None:
        await top.press("2")
        cells = next(line for line in top.lines[10:] if " db " in line).split()
        assert cells[:5] == ["db", "190Mi", "200Mi", "95", "%"]
        assert cells[-2:] == ["77", "2"]

    drive(tmp_path, script, setup=setup)


def test_a_machine_that_cannot_be_read_says_so_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(top: Driver) -> None:
        def fail() -> None:
            raise MemoryError("none left")

        with monkeypatch.context() as patched:
            patched.setattr(top.app.reader, "read", fail)
            top.app.reader.now()
            await top.until(lambda: "could not read: MemoryError: none left" in top.text, "the failure")
        await top.read()
        assert "could not read" not in top.text

    drive(tmp_path, script)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_it_ends_and_its_threads_with_it(tmp_path: Path, key: str) -> None:
    async def script(top: Driver) -> None:
        await top.press(key)
        await top.until(lambda: not top.app.is_running, "the end")

    import threading

    drive(tmp_path, script)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("oomlens")]


def test_a_log_that_fails_while_it_is_followed_leaves_the_counters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "input/output error")

    monkeypatch.setattr("oomlens.top.kill_watch.scan_live", fail)

    async def script(top: Driver) -> None:
        await top.until(lambda: "kills are only counted" in top.text, "the notice")

    drive(tmp_path, script)
