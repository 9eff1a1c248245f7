"""Real systemd in a guest: units killed at their limit, planned for, saved, taken back, killed again. All by the real command line.

Runs where OOMLENS_SYSTEMD names Debian suites (see support/systemd_vm.py); a suite takes minutes. `make prove-systemd`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from support.proof import proven
from support.systemd_vm import Guest, guest, suites

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(not suites(), reason="needs minutes and QEMU: OOMLENS_SYSTEMD=bookworm"),
]
MIB = 1 << 20
# Takes some memory bit by bit, touches it, says so, and stays.
HOG = """import sys, time
held = []
for _ in range(int(sys.argv[1])):
    held.append(b"x" * (1 << 20))
open(sys.argv[2], "w").write("held")
time.sleep(100000)
"""
# Starts that many children, as far as it may, and stays.
BOMB = """import os, time
for _ in range(60):
    try:
        if os.fork() == 0:
            time.sleep(100000)
    except OSError:
        pass
open("/run/bomb.held", "w").write("held")
time.sleep(100000)
"""
UNIT = """[Service]
ExecStartPre=/bin/rm -f /run/{name}.held
ExecStart=/usr/bin/python3 /usr/local/lib/hog.py {mib} /run/{name}.held
{more}
"""


@pytest.fixture(scope="module", params=suites())
def vm(request: pytest.FixtureRequest) -> Iterator[Guest]:
    with guest(str(request.param)) as machine:
        machine.write("/usr/local/lib/hog.py", HOG)
        machine.write("/usr/local/lib/bomb.py", BOMB)
        yield machine


class Unit:
    """A service of the test's own."""

    def __init__(self, vm: Guest, name: str, mib: int, more: str) -> None:
        self.vm, self.name, self.service = vm, name, f"{name}.service"
        self.state = f"--state=/root/state-{name}"
        vm.write(f"/etc/systemd/system/{self.service}", UNIT.format(name=name, mib=mib, more=more))
        vm.run("systemctl daemon-reload")

    def shown(self, key: str) -> str:
        return self.vm.run(f"systemctl show -p {key} --value {self.service}").out.strip()

    def kernel(self, name: str) -> str:
        return self.vm.text(f"/sys/fs/cgroup/system.slice/{self.service}/{name}")

    def start(self) -> None:
        self.vm.run(f"systemctl reset-failed {self.service}; systemctl restart {self.service}", code=None)

    def dies(self) -> None:
        """Started, it is killed by the kernel."""
        self.start()
        self.vm.wait_for(f"systemctl show -p Result --value {self.service}", "oom-kill")

    def lives(self) -> None:
        """Started, it holds all that it wants."""
        self.start()
        self.vm.wait_for(f"cat /run/{self.name}.held; systemctl is-active {self.service}", "heldactive")

    def plan(self, *argv: str, code: int = 0) -> list[dict[str, Any]]:
        self.vm.lens("plan", *argv, "--out", f"/root/{self.name}.json", code=code)
        found = json.loads(self.vm.text(f"/root/{self.name}.json"))["plans"]
        assert isinstance(found, list)
        return found

    def apply(self, *argv: str, code: int = 0) -> str:
        return self.vm.lens("apply", f"/root/{self.name}.json", "--yes", self.state, *argv, code=code)

    def rollback(self, code: int = 0) -> str:
        return self.vm.lens("rollback", self.state, code=code)

    def files(self) -> str:
        """All that is kept for systemd of this unit."""
        return self.vm.run(
            f"find /etc/systemd /run/systemd/system.control /run/systemd/system -path '*{self.name}*' -type f 2>/dev/null | sort | xargs -r sha256sum"
        ).out


def where(vm: Guest) -> str:
    return f"vm systemd {vm.run('systemctl --version').out.split()[1]}"


def test_killed_at_its_limit_saved_and_killed_again(vm: Guest) -> None:
    unit = Unit(vm, "web", 70, "MemoryMax=40M\nMemorySwapMax=0")
    unit.dies()
    before = unit.files()
    (plan,) = unit.plan("limit", "unit", "web")
    # It does not run, and systemd says why: max(1.25 * 40, 40 + 100) MiB, in steps of 16.
    assert plan["argv"] == ["limit", "unit", "web.service", "--max", "144M"]
    told = unit.apply()
    assert "everything reads back as planned" in told
    unit.lives()
    assert unit.kernel("memory.max") == str(144 * MIB)
    # The unit holds 70 MiB now: putting 40 MiB back would kill it, so it has to be stopped first.
    vm.run("systemctl stop web")
    assert "everything is as it was" in unit.rollback()
    assert unit.files() == before
    assert unit.shown("MemoryMax") == str(40 * MIB)
    unit.dies()
    proven(
        "systemd",
        "limit unit",
        where(vm),
        "a service killed at MemoryMax=40M is sized from that, survives with 144M, and is killed after rollback",
        kernel=kernel(vm),
    )


def kernel(vm: Guest) -> str:
    return re.split(r"[-+]", vm.run("uname -r").out.strip())[0]


def test_what_would_kill_is_refused_on_the_way_there_and_back(vm: Guest) -> None:
    unit = Unit(vm, "held", 70, "MemoryMax=60M\nMemorySwapMax=0")
    unit.plan("limit", "unit", "held", "--max", "120M")
    unit.apply()
    unit.lives()
    told = unit.rollback(code=1)
    assert "it would be killed; stop it first" in told
    assert unit.kernel("memory.max") == str(120 * MIB)
    assert "it would be killed at once" in vm.lens("plan", "limit", "unit", "held", "--max", "50M", code=1)
    (plan,) = unit.plan("limit", "unit", "held", "--max", "50M", "--even-below-usage")
    assert {step["safety"] for step in plan["steps"]} == {"disruptive"}
    unit.apply()  # nothing of it is allowed
    assert unit.kernel("memory.max") == str(120 * MIB)
    vm.run("systemctl stop held")
    unit.rollback()
    proven("systemd", "limit unit", where(vm), "a limit below what the unit holds is refused, also on the way back", kernel=kernel(vm))  # fmt: skip


def test_an_earlier_runtime_limit_comes_back_in_systemd_and_in_the_kernel(vm: Guest) -> None:
    unit = Unit(vm, "earlier", 10, "MemoryMax=60M")
    unit.lives()
    vm.run("systemctl set-property --runtime earlier MemoryMax=70M; mkdir -p /etc/systemd/system/earlier.service.d")
    vm.write("/etc/systemd/system/earlier.service.d/90-admin.conf", "# mine\n[Service]\nMemoryHigh=30M\n")
    vm.run("systemctl daemon-reload")
    unit.lives()
    before = unit.files()
    (plan,) = unit.plan("limit", "unit", "earlier", "--max", "200M", "--swap-max", "0")
    assert "MemoryHigh=180M" in str(plan)  # 30M was meant for a lower limit
    assert "/etc/systemd/system/earlier.service.d/zz-oomlens.conf" in str(plan)
    unit.apply()
    found = [unit.kernel(name) for name in ("memory.max", "memory.high", "memory.swap.max")]
    assert found == [str(200 * MIB), str(180 * MIB), "0"]
    vm.run("systemctl daemon-reload; systemctl restart earlier")
    assert [unit.kernel(name) for name in ("memory.max", "memory.high", "memory.swap.max")] == found
    unit.rollback()
    assert unit.files() == before
    assert [unit.kernel(name) for name in ("memory.max", "memory.high", "memory.swap.max")] == [str(70 * MIB), str(30 * MIB), "max"]  # fmt: skip
    proven("systemd", "limit unit", where(vm), "a runtime limit and an administrator's drop-in come back, in systemd and in the kernel", kernel=kernel(vm))  # fmt: skip


def test_a_value_that_only_the_kernel_has_comes_back(vm: Guest) -> None:
    unit = Unit(vm, "raw", 10, "MemoryMax=60M")
    unit.lives()
    vm.run(f"echo {66 * MIB} > /sys/fs/cgroup/system.slice/raw.service/memory.max")
    unit.plan("limit", "unit", "raw", "--max", "60M")
    assert "everything reads back as planned" in unit.apply()
    assert unit.kernel("memory.max") == str(60 * MIB)
    unit.rollback()
    assert unit.kernel("memory.max") == str(66 * MIB)


def test_policy_decides_over_the_rest_of_the_unit(vm: Guest) -> None:
    child = "ExecStartPost=/bin/sh -c 'exec /usr/bin/python3 /usr/local/lib/hog.py 90 /run/none &'"
    unit = Unit(vm, "policy", 5, f"{child}\nMemoryMax=60M\nMemorySwapMax=0")
    results: dict[str, tuple[str, str]] = {}
    for policy in ("continue", "stop", "kill"):
        unit.plan("limit", "unit", "policy", "--oom-policy", policy)
        unit.apply()
        unit.start()
        told = "journalctl --no-pager -o cat INVOCATION_ID=$(systemctl show -p InvocationID --value policy)"
        vm.wait_for(f"{told} | grep -q 'been killed by the OOM killer' && echo yes", "yes")
        if policy != "continue":
            vm.wait_for("systemctl is-active policy", "failed")
        results[policy] = (unit.shown("ActiveState"), unit.shown("Result"))
        if policy == "continue":
            # No restart is needed: systemd and the kernel's memory.oom.group follow the drop-in at once.
            unit.rollback()
            unit.plan("limit", "unit", "policy", "--oom-policy", "kill")
            unit.apply()
            assert unit.kernel("memory.oom.group") == "1"
        vm.run("systemctl stop policy")
        unit.rollback()
    assert results == {"continue": ("active", "success"), "stop": ("failed", "oom-kill"), "kill": ("failed", "oom-kill")}  # fmt: skip
    what = "OOMPolicy continue, stop and kill: the unit goes on, ends, ends whole; set without a restart"
    proven("systemd", "limit unit", where(vm), what, kernel=kernel(vm))


def test_a_score_reaches_what_runs_and_what_is_started_later(vm: Guest) -> None:
    unit = Unit(vm, "scored", 5, "")
    unit.lives()

    def live() -> str:
        return vm.text(f"/proc/{unit.shown('MainPID')}/oom_score_adj")

    unit.plan("limit", "unit", "scored", "--oom-score-adjust=-300")
    unit.apply()
    assert (unit.shown("OOMScoreAdjust"), live()) == ("-300", "0")  # systemd says it, the process has it not
    unit.rollback()
    unit.plan("protect", "scored", "--adj=-500")
    unit.apply()
    assert live() == "-500"
    vm.run("systemctl restart scored")
    assert live() == "-500"
    unit.rollback()
    assert unit.shown("OOMScoreAdjust") == "0"
    vm.run("systemctl restart scored")
    assert live() == "0"
    unit.plan("sacrifice", "scored")
    unit.apply()
    assert live() == "500"
    unit.rollback()
    assert live() == "0"
    assert unit.files().count("\n") == 1
    proven("systemd", "protect", where(vm), "OOMScoreAdjust for good and the live process at once; both taken back", kernel=kernel(vm))  # fmt: skip


def test_the_sacrificed_one_dies_first(vm: Guest) -> None:
    hog = "ExecStartPost=/bin/sh -c 'exec /usr/bin/python3 /usr/local/lib/hog.py {mib} /run/{name}.held &'"
    children = "\n".join(hog.format(mib=mib, name=name) for mib, name in ((20, "small"), (35, "large")))
    unit = Unit(vm, "flip", 1, f"{children}\nMemoryMax=120M\nMemorySwapMax=0\nOOMPolicy=continue")
    group = "/sys/fs/cgroup/system.slice/flip.service"

    def victim(change: str) -> str:
        vm.run("systemctl stop flip; rm -f /run/small.held /run/large.held")
        unit.lives()
        vm.wait_for("cat /run/small.held /run/large.held", "heldheld")
        small, large = pid_of(vm, "small.held"), pid_of(vm, "large.held")
        if change:
            unit.plan("sacrifice", small, "--adj", "800")
            unit.apply()
        if change == "taken back":
            unit.rollback()
        # In small steps: of a large one, the kernel may kill again before the first victim's memory has come back.
        vm.run(
            f"limit=$(cat {group}/memory.current); while ! grep -q '^oom_kill [1-9]' {group}/memory.events;"
            f" do limit=$((limit - 524288)); echo $limit > {group}/memory.max; done"
        )
        vm.run("sleep 1")
        living = [name for name, pid in (("small", small), ("large", large)) if lives_on(vm, pid)]
        return " and ".join(name for name in ("small", "large") if name not in living)

    assert [victim(change) for change in ("", "done", "taken back")] == ["large", "small", "large"]
    what = "the smaller process of a unit dies instead of the larger; after rollback the larger again"
    proven("systemd", "sacrifice", where(vm), what, kernel=kernel(vm))


def lives_on(vm: Guest, pid: str) -> bool:
    """Whether a process is there; one that was killed has no command line any more."""
    return bool(vm.run(f"tr -d '\\0' < /proc/{pid}/cmdline", code=None).out)


def pid_of(vm: Guest, word: str) -> str:
    """The pid of the only hog with that word on its command line."""
    # The pattern does not fit the shell that looks for it.
    shell = f"for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -q '^/usr/bin/python3.*hog.py.*{word}' && echo ${{p#/proc/}}; done; true"
    return vm.run(shell).out.strip()


def test_templates_slices_scopes_and_other_names(vm: Guest) -> None:
    vm.write(
        "/etc/systemd/system/job@.service", "[Service]\nExecStart=/bin/sleep 1000\nMemoryMax=50M\nSlice=jobs.slice\n"
    )
    vm.write("/etc/systemd/system/other-name.service", "[Service]\nExecStart=/bin/sleep 1000\nMemoryMax=50M\n")
    vm.run("ln -s other-name.service /etc/systemd/system/its-alias.service; systemctl daemon-reload; systemctl start job@1 job@2 other-name")  # fmt: skip
    vm.run("systemd-run --quiet --unit=made -p MemoryMax=50M sleep 1000")
    unit = Unit(vm, "names", 1, "")

    def limit(path: str) -> str:
        return vm.text(f"/sys/fs/cgroup/{path}/memory.max")

    for name, path in (
        ("job@1", "jobs.slice/job@1.service"),
        ("job@.service", "jobs.slice/job@2.service"),
        ("its-alias", "system.slice/other-name.service"),
        ("made", "system.slice/made.service"),
        ("jobs.slice", "jobs.slice"),
    ):
        before = limit(path)
        unit.plan("limit", "unit", name, "--max", "99M")
        assert "everything reads back as planned" in unit.apply(), name
        assert limit(path) == str(99 * MIB), name
        unit.rollback()
        assert limit(path) == before, name
    proven("systemd", "limit unit", where(vm), "an instance, a template, an alias, a transient unit and a slice: set at once and taken back", kernel=kernel(vm))  # fmt: skip


def test_the_commands_for_a_users_unit_work_for_that_user(vm: Guest) -> None:
    vm.run("id someone >/dev/null 2>&1 || useradd -m someone; loginctl enable-linger someone")
    uid = vm.run("id -u someone").out.strip()
    vm.wait_for(f"systemctl is-active user@{uid}", "active", 120)
    vm.write("/home/someone/.config/systemd/user/mine.service", "[Service]\nExecStart=/bin/sleep 1000\nMemoryMax=50M\n")
    vm.run("chown -R someone: /home/someone/.config")

    def as_someone(shell: str) -> str:
        vm.write("/root/someone.sh", f"export XDG_RUNTIME_DIR=/run/user/{uid} HOME=/home/someone\ncd\n{shell}")
        return vm.run("runuser -u someone -- sh -e < /root/someone.sh").text

    as_someone("systemctl --user daemon-reload; systemctl --user start mine")
    group = vm.run("find /sys/fs/cgroup/user.slice -type d -name mine.service").out.strip()
    tree = "find /home/someone/.config /run/user/*/systemd -type f -name '*.conf' 2>/dev/null || true"
    before = as_someone(tree)
    unit = Unit(vm, "users", 1, "")
    (plan,) = unit.plan("limit", "unit", "mine", "--max", "80M")
    (step,) = plan["steps"]
    as_someone("\n".join(step["parameters"]["commands"]) + "\n")
    assert vm.text(f"{group}/memory.max") == str(80 * MIB)
    as_someone("\n".join(step["parameters"]["undo"]) + "\nsystemctl --user restart mine\n")
    assert vm.text(f"{group}/memory.max") == str(50 * MIB)
    assert as_someone(tree) == before
    proven("systemd", "limit unit", where(vm), "a user's unit: the shown commands, run by that user, set it and take it back", kernel=kernel(vm))  # fmt: skip


def test_a_fork_bomb_meets_the_limit_of_tasks(vm: Guest) -> None:
    unit = Unit(vm, "bomb", 1, "ExecStart=\nExecStart=/usr/bin/python3 /usr/local/lib/bomb.py")
    unit.plan("tasks", "bomb", "--max", "20", "--only", "max")
    unit.apply()
    unit.lives()
    assert unit.kernel("pids.max") == "20"
    assert int(unit.kernel("pids.current")) == 20
    assert int(unit.kernel("pids.events").split()[1]) == 41  # 60 forks, 19 of them done
    unit.rollback()
    unit.lives()
    assert int(unit.kernel("pids.current")) == 61
    vm.run("systemctl stop bomb")
    proven("systemd", "tasks", where(vm), "TasksMax=20 stops 41 of 60 forks; after rollback they all run", kernel=kernel(vm))  # fmt: skip


def test_what_systemd_does_not_understand_is_refused_before_anything_is_done(vm: Guest) -> None:
    unit = Unit(vm, "wrong", 1, "")
    (plan,) = unit.plan("limit", "unit", "wrong", "--max", "100M")
    text = vm.text("/root/wrong.json").replace("MemoryMax=100M", "MemoryMax=90x")
    vm.write("/root/wrong.json", text)
    told = unit.apply(code=1)
    assert "systemd does not understand the drop-in of wrong.service" in told
    assert "Invalid memory limit" in told
    assert unit.files().count("\n") == 1
    assert plan["id"]


def test_the_shown_commands_do_the_same(vm: Guest) -> None:
    unit = Unit(vm, "shell", 10, "MemoryMax=60M")
    unit.lives()
    before, was = unit.files(), unit.kernel("memory.max")
    shown = [
        vm.run(f"oomlens plan limit unit shell --max 99M {option} 2>/dev/null").out.replace("sudo ", "")
        for option in ("--show-commands", "--show-undo")
    ]
    for shell, wanted in zip(shown, (str(99 * MIB), was), strict=True):
        vm.write("/root/shell.sh", shell)
        vm.run("sh -e /root/shell.sh")
        assert unit.kernel("memory.max") == wanted
    assert unit.files() == before
