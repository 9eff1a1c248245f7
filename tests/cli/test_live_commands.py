"""`status` and `predict` as a person types them, on a small machine of files."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from oomlens.cli.main import main
from oomlens.model.history import HostFigures
from support.fake_machine import FakeMachine, fake_machine, write
from support.history import sample, write_history

CONTAINER = "c0ffee" + "0" * 58


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    found = fake_machine(tmp_path)
    write(found.cgroup / "cgroup.controllers", "memory\n")
    found.add_v2("/system.slice/db.service", memory_max=200 << 20, memory_current=190 << 20)
    found.add_v2(f"/system.slice/docker-{CONTAINER}.scope", memory_max=300 << 20, memory_current=10 << 20)
    found.add_process(1, b"systemd", ppid=0, anon_kb=9000)
    found.add_process(
        50, b"postgres", anon_kb=150_000, cgroup="0::/system.slice/db.service", cmdline=b"postgres\0-D\0/x\0"
    )
    found.add_process(51, b"app\x1b[2J\n", anon_kb=9000, adj=50, cgroup=f"0::/system.slice/docker-{CONTAINER}.scope")
    return found


def run(capsys: pytest.CaptureFixture[str], machine: FakeMachine, *arguments: str) -> tuple[int, str, str]:
    try:
        code = main([*arguments, "--lang", "en", "--root", str(machine.proc.parent)])
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def document(capsys: pytest.CaptureFixture[str], machine: FakeMachine, *arguments: str) -> Any:
    code, out, err = run(capsys, machine, *arguments, "--format", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_predict_ranks_every_scope(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, machine, "predict")
    assert found["schema"] == "oomlens/predict/1"
    scopes = {scope["path"]: scope for scope in found["scopes"]}
    assert [each["pid"] for each in scopes[None]["candidates"]] == [50, 51]
    assert scopes[None]["scope"] == "global"
    assert [each["pid"] for each in scopes["/system.slice/db.service"]["candidates"]] == [50]
    assert scopes["/system.slice/db.service"]["limit_bytes"] == 200 << 20


def test_predict_in_words(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, machine, "predict")
    assert (code, err) == (0, "")
    assert out.startswith("the machine: 684 MiB until it happens\n")  # 300000 kB available, 400000 kB of swap
    assert "next victim: postgres[50]" in out
    assert "! the next victim postgres[50] is a database" in out
    assert "db.service (/system.slice/db.service)" in out


def test_what_if_answers_before_anything_is_changed(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, machine, "predict", "--what-if", "51=+400M", "--what-if", "limit:c0ffee=1G")
    assert found["what_if"] == ["51=+400M", "limit:c0ffee=1G"]
    assert found["scopes"][0]["candidates"][0]["pid"] == 51
    assert 1 << 30 in [scope["limit_bytes"] for scope in found["scopes"]]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [("much", 2, "expected PID=+2G"), ("50=x", 2, "not a size"), ("99=+1G", 1, "no process 99"), ("limit:x=1G", 1, "no memory cgroup")],
)  # fmt: skip
def test_a_wrong_what_if_says_what_to_type(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], change: str, code: int, words: str
) -> None:
    found, out, err = run(capsys, machine, "predict", "--what-if", change)
    assert (found, out) == (code, "")
    assert words in err


def test_status_in_words(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, machine, "status")
    assert code == 0
    (totals,) = [line.split() for line in out.splitlines() if line.startswith("memory ") and "%" not in line]
    assert totals[1:] == ["977", "MiB", "684", "MiB", "195", "MiB", "1.0", "MiB", "127", "MiB", "293", "MiB"]
    assert "out-of-memory kills since boot: 4" in out
    assert "! /system.slice/db.service: 190 MiB of its limit of 200 MiB cannot be reclaimed" in out
    assert "postgres -D /x" in out
    assert "\x1b" not in out
    assert "app\\x1b[2J\\n" in out
    assert "unknown: settings.panic" in out


def test_status_of_one_process(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, machine, "status", "--pid", "50")
    assert code == 0
    assert "postgres -D /x" in out
    assert "db.service" in out
    found = document(capsys, machine, "status", "--pid", "50")
    assert [process["pid"] for process in found["processes"]] == [50]
    # Its own cgroup and all above it.
    assert [usage["path"] for usage in found["cgroups"]] == ["/", "/system.slice", "/system.slice/db.service"]


def test_status_of_one_process_says_why_a_size_is_unknown(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, machine, "status", "--pid", "50")
    assert "unknown: pss_bytes: 1 (this kernel does not provide it)" in out
    write(machine.proc / "50/smaps_rollup", "5500-7ff rollup\nRss: 9 kB\nPss:                1024 kB\nPss_Anon: 7 kB\n")
    _, out, _ = run(capsys, machine, "status", "--pid", "50")
    assert "unknown" not in out
    assert any(line.split() == ["shared", "out", "(PSS)", "1", "MiB"] for line in out.splitlines())


def test_before_4_14_the_shared_out_size_is_the_sum_of_all_mappings(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    write(machine.proc / "50/smaps", "0-1 r\nRss: 9 kB\nPss: 1000 kB\nSwapPss: 5 kB\n1-2 r\nPss: 24 kB\n")
    found = document(capsys, machine, "status", "--pss")
    assert {each["pid"]: each["pss_bytes"] for each in found["processes"]} == {1: None, 50: 1024 << 10, 51: None}
    assert {"what": "pss_bytes: 2", "why": "not-provided"} in found["gaps"]


def test_status_of_a_unit_tells_its_limits_parts_and_events(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.add_v2("/system.slice", memory_max=500 << 20)
    machine.add_v2(
        "/system.slice/db.service", memory_max="max", memory_high=150 << 20, memory_current=190 << 20, memory_oom_group=1,
        memory_stat=f"anon {150 << 20}\nfile {40 << 20}\nactive_file {30 << 20}\ninactive_file {10 << 20}",
        memory_events="low 0\nhigh 12\nmax 3\noom 2\noom_kill 1",
    )  # fmt: skip
    _, out, _ = run(capsys, machine, "status", "--unit", "db")
    lines = [line.split() for line in out.splitlines()]
    for expected in (
        "memory.max none", "memory.high 150 MiB", "limited by /system.slice (500 MiB)", "in use 190 MiB",
        "not to be dropped 150 MiB", "anon 150 MiB", "memory.oom.group 1", "events low 0, high 12, max 3, oom 2, oom_kill 1",
    ):  # fmt: skip
        assert expected.split() in lines
    _, out, _ = run(capsys, machine, "status")
    assert (
        "! /system.slice/db.service: 150 MiB cannot be reclaimed, so memory.high (150 MiB) slows its processes" in out
    )


def test_details_of_the_machine(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, machine, "status", "--details")
    assert "huge_pages_total" in out
    (zone,) = [line.split() for line in out.splitlines() if line.startswith("0 Normal")]
    # 50000, 100, 125, 150 and 250000 pages; 8 blocks of order 0, 4 of order 1 and one of order 2
    assert zone == ["0", "Normal", "195", "MiB", "400", "KiB", "500", "KiB", "600", "KiB", "977", "MiB", "order", "2"]
    assert "swappiness" in out


def test_kills_are_told_where_they_happened(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    """Version 2 counts a kill in every cgroup above it too."""
    machine.add_v2("/system.slice", memory_events="oom_kill 5")
    machine.add_v2("/system.slice/db.service", memory_events="oom_kill 3")
    _, out, _ = run(capsys, machine, "status")
    assert "out-of-memory kills since boot: 4\n  3 in /system.slice/db.service\n  2 in /system.slice\n" in out


@pytest.mark.parametrize("option", [("--unit", "db"), ("--unit", "db.*"), ("--container", "c0ffee")])
def test_status_of_a_unit_or_container(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    found = document(capsys, machine, "status", *option)
    assert [process["pid"] for process in found["processes"]] == [51 if option[0] == "--container" else 50]
    code, out, _ = run(capsys, machine, "status", *option)
    assert code == 0
    assert ("postgres" in out) == (option[0] == "--unit")


@pytest.mark.parametrize("option", [("--pid", "77"), ("--unit", "none"), ("--container", "none")])
def test_what_is_not_there_is_told(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    code, out, err = run(capsys, machine, "status", *option)
    assert (code, out) == (1, "")
    assert option[1] in err


def test_json_lines_are_one_line(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, machine, "status", "--format", "jsonl")
    assert code == 0
    assert out.count("\n") == 1
    found = json.loads(out)
    assert found["schema"] == "oomlens/snapshot/1"
    assert found["host"]["oom_kills"] == 4
    assert {risk["kind"] for risk in found["risks"]} == {"near-limit"}
    assert found["processes"][1]["cmdline"] == ["postgres", "-D", "/x"]


def test_a_root_without_proc_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = FakeMachine(tmp_path / "no/proc", tmp_path / "no/sys", tmp_path / "no/cgroup")
    for verb in ("status", "predict"):
        code, out, err = run(capsys, nothing, verb)
        assert (code, out) == (1, "")
        assert "--root" in err


def test_predict_answers_for_some_cgroups_alone(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    def paths(*names: str) -> list[str]:
        asked = [word for name in names for word in ("--cgroup", name)]
        return [scope["path"].rsplit("/", 1)[1][:9] for scope in document(capsys, machine, "predict", *asked)["scopes"]]

    assert paths("db") == paths("db.service") == paths("system.slice/db*") == ["db.servic"]
    assert paths("c0ffee00") == ["docker-c0"]
    assert sorted(paths("c0ff", "db")) == ["db.servic", "docker-c0"]
    code, out, err = run(capsys, machine, "predict", "--cgroup", "web")
    assert (code, out) == (1, "")
    assert "no cgroup with a limit of its own is called web" in err


def test_cgroups_beyond_the_nearest_are_a_line_each(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(8):
        machine.add_v2(f"/x{number}", memory_max=(400 + number) << 20)
    machine.add_process(60, b"late", anon_kb=400, cgroup="0::/x7")
    code, out, _ = run(capsys, machine, "predict")
    assert code == 0
    assert "4 more cgroups with a limit, the nearest first:" in out
    # 407 MiB of room and 400000 kB of free swap
    assert any(line.split() == ["798", "MiB", "late[60]", "/x7"] for line in out.splitlines())


def growing_past(machine: FakeMachine) -> Path:
    """An hour in which the use of the machine of 1 GB has grown by 51 kB a second, up to now."""
    now = time.time()
    figures = [
        HostFigures(
            total_bytes=1_000_000 << 10, available_bytes=(300_000 << 10) + (360 - number) * (500 << 10),
            swap_total_bytes=500_000 << 10, swap_free_bytes=400_000 << 10, oom_kills=4,
        )
        for number in range(360)
    ]  # fmt: skip
    samples = [
        sample(round(now - (360 - number) * 10, 3), host=one, boot_id=None) for number, one in enumerate(figures)
    ]
    folder = machine.proc.parent / "history"
    write_history(folder, samples)
    return folder


def test_with_a_history_it_is_said_when(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    folder = growing_past(machine)
    whole = document(capsys, machine, "predict", "--history", str(folder))["scopes"][0]
    # 700000 kB are left, at 50 kB a second: 14000 s.
    assert whole["distance_bytes"] == 700_000 << 10
    assert whole["when"]["seconds"] == pytest.approx(14_000, rel=0.01)
    assert whole["when"]["slope_bytes_per_second"] == pytest.approx(50 << 10, rel=0.01)
    _, out, _ = run(capsys, machine, "predict", "--history", str(folder))
    assert "grows by 2.9 MiB a minute: in about 3.9 h if it goes on so" in out
    sooner = document(capsys, machine, "predict", "--history", str(folder), "--what-if", "50=+350000K")["scopes"][0]
    assert sooner["when"]["seconds"] == pytest.approx(7_000, rel=0.01)


def test_without_a_past_nothing_is_said_of_when(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    assert all(scope["when"] is None for scope in document(capsys, machine, "predict")["scopes"])
    code, _, err = run(capsys, machine, "predict", "--history", str(machine.proc / "nowhere"))
    assert code == 0  # the rest of the answer is there
    assert "could not read" in err


def test_watch_answers_again_and_again_a_document_a_line(machine: FakeMachine) -> None:
    command = [sys.executable, "-m", "oomlens", "predict", "--root", str(machine.proc.parent), "--format", "jsonl"]
    child = subprocess.Popen([*command, "--watch", "0.5"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        lines = [child.stdout.readline() for _ in range(3)]
    finally:
        child.terminate()
        child.wait(timeout=10)
        child.stdout.close()
    times = [json.loads(line)["time_seconds"] for line in lines]
    assert times == sorted(set(times))


def test_one_json_document_cannot_be_watched(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, machine, "predict", "--watch", "1s", "--format", "json")
    assert (code, out) == (2, "")
    assert "--format jsonl" in err


def test_what_is_not_there_is_told_before_anybody_waits(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    code, _, _ = run(capsys, machine, "predict", "--sample", "10m", "--cgroup", "web")
    assert code == 1
    assert time.monotonic() - begun < 30


def test_containers_are_called_as_their_engine_calls_them(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    root = machine.proc.parent
    write(
        root / f"var/lib/docker/containers/{CONTAINER}/config.v2.json",
        json.dumps({"Name": "/shop-web-1", "Config": {}}),
    )
    found = document(capsys, machine, "status", "--container", "shop-web-1")
    assert [process["pid"] for process in found["processes"]] == [51]
    _, out, _ = run(capsys, machine, "predict", "--cgroup", "shop-web-1")
    assert out.startswith("shop-web-1 (/system.slice/docker-c0ffee")
    pod = "/kubepods.slice/kubepods-pod11111111_2222_3333_4444_555555555555.slice"
    inner = f"{pod}/cri-containerd-{'ab' * 32}.scope"
    machine.add_v2(pod)
    machine.add_v2(inner, memory_max=100 << 20)
    machine.add_process(70, b"api", anon_kb=9, cgroup=f"0::{inner}")
    log = root / f"var/log/containers/api-7d9_shop_main-{'ab' * 32}.log"
    log.parent.mkdir(parents=True)
    log.symlink_to("/nowhere")
    code, out, err = run(capsys, machine, "predict", "--cgroup", "shop/api-7d9")
    assert (code, err) == (0, "")
    assert out.startswith("shop/api-7d9 / main (/kubepods.slice")
    assert "next victim: api[70]" in out
