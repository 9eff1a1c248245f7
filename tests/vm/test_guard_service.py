"""The guard as a hardened service of a real systemd: it acts within its sandbox, survives what it guards against, reloads, and goes without a trace.

Runs where OOMLENS_SYSTEMD names Debian suites (see support/systemd_vm.py); a suite takes minutes.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from support.systemd_vm import Guest, guest, suites

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(not suites(), reason="needs minutes and QEMU: OOMLENS_SYSTEMD=bookworm"),
]
TREE = "find /etc/systemd -printf '%p %l %m\\n' | sort; find /etc/systemd -type f -exec sha256sum {} + | sort"
GROW = """import signal, sys, time
if len(sys.argv) > 2:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
held = []
while True:
    held.append(bytearray(b"x") * (int(sys.argv[1]) << 20))
    time.sleep(0.3)
"""
MAIN = "systemctl show -p MainPID --value oomlens-guard"
LOG = "/var/log/oomlens/guard.jsonl"


@pytest.fixture(scope="module", params=suites())
def vm(request: pytest.FixtureRequest) -> Iterator[Guest]:
    with guest(str(request.param)) as machine:
        machine.write("/usr/local/lib/grow.py", GROW)
        yield machine


def events(vm: Guest, kind: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in vm.text(LOG).splitlines()]
    return [row for row in rows if row["event"] == kind]


def kernel_kills(vm: Guest) -> int:
    return int(vm.run("awk '/^oom_kill / {print $2}' /proc/vmstat").out)


def test_the_service_acts_in_its_sandbox_and_leaves_no_trace(vm: Guest) -> None:
    before = vm.run(TREE).out
    vm.lens("guard", "install", "--preset", "server", "--yes")
    vm.wait_for("systemctl is-active oomlens-guard", "active", seconds=120)
    first = vm.run(MAIN).out.strip()
    status = vm.text(f"/proc/{first}/status")
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "VmLck:\t       0 kB" not in status
    assert vm.text(f"/proc/{first}/oom_score_adj") == "-900"
    assert int(status.split("VmRSS:")[1].split()[0]) <= 11_264  # 11 MiB

    assert kernel_kills(vm) == 0
    vm.run(
        "systemd-run --wait -q --unit=hog -p OOMScoreAdjust=0 python3 /usr/local/lib/grow.py 6", code=None, seconds=600
    )
    vm.run(
        "systemd-run --wait -q --unit=deaf -p OOMScoreAdjust=0 python3 /usr/local/lib/grow.py 6 deaf",
        code=None,
        seconds=600,
    )
    assert kernel_kills(vm) == 0
    signals = [(row["signal"], row["victim"]["unit"]) for row in events(vm, "signalled")]
    assert signals == [("TERM", "hog.service"), ("TERM", "deaf.service"), ("KILL", "deaf.service")]
    assert events(vm, "failed") == []
    assert len(events(vm, "gone")) == 2
    # It went on through both, and tells systemd so.
    assert vm.run(MAIN).out.strip() == first

    vm.write("/etc/oomlens/guard.toml", 'preset = "server"\n[memory]\nterm = "12%"\n')
    vm.run("systemctl reload oomlens-guard")
    vm.wait_for(f'grep -c \'"event": "reloaded"\' {LOG}', "1", seconds=60)
    vm.write("/etc/oomlens/guard.toml", "memory = 3\n")
    vm.run("systemctl reload oomlens-guard")
    vm.wait_for(f'grep -c \'"event": "reload-refused"\' {LOG}', "1", seconds=60)
    assert vm.run(MAIN).out.strip() == first
    vm.run("rm -r /etc/oomlens")
    assert "SIGTERM" in vm.lens("guard", "log")
    assert "oomlens_guard_up 1" in vm.lens("guard", "metrics", "-")

    vm.lens("guard", "uninstall", "--yes")
    assert vm.run("systemctl is-active oomlens-guard", code=None).out.strip() == "inactive"
    assert vm.run(TREE).out == before


CONFIG = """preset = "server"

[choose]
object = "unit"

[[step]]
at = "warn"
do = "freeze"
for = "3s"

[[step]]
at = "act"
do = "high"
share = "90%"
"""
FAMILY = "python3 -c 'import time; time.sleep(900)' & python3 -c 'import time; time.sleep(900)' & exec python3 /usr/local/lib/grow.py 6"


def test_a_whole_unit_ends_after_the_steps(vm: Guest) -> None:
    vm.run("rm -f /var/log/oomlens/guard.jsonl*; mkdir -p /etc/oomlens")
    vm.write("/etc/oomlens/guard.toml", CONFIG)
    vm.lens("guard", "install", "--yes")
    vm.wait_for("systemctl is-active oomlens-guard", "active", seconds=120)
    kills = kernel_kills(vm)
    vm.run(
        f"systemd-run --wait -q --unit=family -p OOMScoreAdjust=0 sh -c {shlex.quote(FAMILY)}", code=None, seconds=600
    )
    vm.wait_for(f'grep -c \'"event": "recovered"\' {LOG}', "1", seconds=60)
    assert kernel_kills(vm) == kills
    group = "/system.slice/family.service"
    assert [(row["step"]["do"], row["target_cgroup"]) for row in events(vm, "stepped")] == [
        ("freeze", group),
        ("high", group),
    ]
    (decided,) = events(vm, "decided")
    assert (decided["object"], decided["target_cgroup"], decided["processes"]) == ("unit", group, 3)
    assert decided["victim"]["unit"] == "family.service"
    # Thawed by its time limit or before the signal: a frozen process cannot end.
    assert any("cgroup.freeze" in row["detail"] for row in events(vm, "undone"))
    assert len(events(vm, "gone")) == 1
    assert json.loads(vm.text("/run/oomlens/guard/undo.json")) == []
    vm.run("rm -r /etc/oomlens")
    vm.lens("guard", "uninstall", "--yes")
