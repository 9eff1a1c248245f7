"""`tasks` on a machine of files: the limit of a unit, workers that fit, ulimits."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomlens.host.read.reader import Reader
from oomlens.host.read.tasks_facts import read_tasks_facts
from oomlens.model.plan import Plan, Refusal
from oomlens.plan.kinds.tasks import propose
from oomlens.plan.tasks.facts import TasksWish
from oomlens.plan.tasks.workers import percentile
from support.fake_machine import FakeMachine, fake_machine, write
from support.fake_systemd import FakeSystemd
from support.plans import apply_and_roll_back, run_shell, shell_of, tree_bytes

GROUP = "/system.slice/php8.2-fpm.service"
MIB = 1 << 20
POOL = b"""[www]
; how many, at most
pm.max_children = 50 ; as it was shipped
pm.max_spare_servers = 35
pm.min_spare_servers = 5
;pm.max_requests = 500
"""


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    found = fake_machine(tmp_path / "root")
    write(found.cgroup / "cgroup.controllers", "memory\n")
    found.add_v2(GROUP, memory_max=1000 * MIB, memory_current=900 * MIB)
    found.add_process(1, b"systemd", ppid=0, anon_kb=9000)
    found.add_process(40, b"php-fpm8.2", ppid=1, anon_kb=50 * 1024, cgroup=f"0::{GROUP}")
    for number in range(20):
        size = 100 if number == 19 else 40  # one has grown
        found.add_process(50 + number, b"php-fpm8.2", ppid=40, anon_kb=size * 1024, threads=2, cgroup=f"0::{GROUP}")
    root = found.proc.parent
    write(
        root / "usr/lib/systemd/system/php8.2-fpm.service",
        "[Service]\nExecStart=/usr/sbin/php-fpm8.2\nMemoryMax=1000M\n",
    )
    write(root / "etc/php/8.2/fpm/pool.d/www.conf", POOL)
    write(root / "etc/php/8.2/fpm/pool.d/other.conf.bak", POOL)
    return found


def found(machine: FakeMachine, wish: TasksWish) -> list[Plan | Refusal]:
    root = machine.proc.parent
    reader = Reader(root, FakeSystemd(root, {"php8.2-fpm.service": GROUP}))
    return list(propose(wish, read_tasks_facts(reader, wish.target, wish.user)))


def plans(machine: FakeMachine, wish: TasksWish) -> list[Plan]:
    return [each for each in found(machine, wish) if isinstance(each, Plan)]


def test_as_many_workers_as_the_memory_holds(machine: FakeMachine) -> None:
    limit, workers = plans(machine, TasksWish("php8.2-fpm.service"))
    # 41 tasks now (a master, 20 workers with 2 threads): max(64, 1.5 * 41 in steps of 16) = 64.
    assert limit.argv == ("tasks", "php8.2-fpm.service", "--max", "64", "--only", "max")
    # 19 of 20 hold 40 MiB, which is their 95th percentile: (0.85 * 1000 - 50) / 40 = 20.
    assert workers.arithmetic[0].value == 40 * MIB
    assert workers.arithmetic[1].value == 20
    assert workers.steps[0].diff[3:] == (
        " [www]", " ; how many, at most", "-pm.max_children = 50 ; as it was shipped", "-pm.max_spare_servers = 35",
        "+pm.max_children = 20 ; as it was shipped", "+pm.max_spare_servers = 20", " pm.min_spare_servers = 5",
        " ;pm.max_requests = 500", "+pm.max_requests = 500",
    )  # fmt: skip


def test_applied_and_taken_back_to_the_byte(machine: FakeMachine, tmp_path: Path) -> None:
    root = machine.proc.parent
    write(machine.cgroup / GROUP.strip("/") / "pids.max", "max\n")
    for number, plan in enumerate(plans(machine, TasksWish("php8.2-fpm.service"))):
        systemd = FakeSystemd(root, {"php8.2-fpm.service": GROUP})
        apply_and_roll_back(plan, root, tmp_path / f"state{number}", systemd)


def test_the_shown_shell_does_the_same(machine: FakeMachine) -> None:
    root = machine.proc.parent
    (_, workers) = plans(machine, TasksWish("php8.2-fpm.service"))
    before = tree_bytes(root)
    run_shell(shell_of(workers, str(root)))
    assert b"pm.max_children = 20 ; as it was shipped\n" in (root / "etc/php/8.2/fpm/pool.d/www.conf").read_bytes()
    run_shell(shell_of(workers, str(root), undo=True))
    assert tree_bytes(root) == before


def test_where_several_files_say_how_many_a_person_chooses(machine: FakeMachine) -> None:
    write(machine.proc.parent / "etc/php-fpm.d/a.conf", POOL)
    (workers,) = plans(machine, TasksWish("php8.2-fpm.service", only="workers", workers=8))
    assert workers.steps[0].action == "by-hand"


def test_workers_that_fit_are_left_alone(machine: FakeMachine) -> None:
    write(machine.proc.parent / "etc/php/8.2/fpm/pool.d/www.conf", b"[www]\npm.max_children = 20\n")
    (refusal,) = found(machine, TasksWish("php-fpm", only="workers"))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.text.values["fitting"], refusal.text.values["now"]) == ("fits", 20, 20)
    assert plans(machine, TasksWish("php-fpm", only="workers", workers=8))


def test_a_file_with_two_pools_is_for_a_person(machine: FakeMachine) -> None:
    place = machine.proc.parent / "etc/php/8.2/fpm/pool.d/www.conf"
    write(place, POOL + b"[two]\npm.max_children = 90\n")
    (workers,) = plans(machine, TasksWish("php-fpm", only="workers", workers=8))
    assert workers.steps[0].action == "by-hand"


def test_threads_of_apache_count_as_workers(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path / "root")
    group = "/system.slice/apache2.service"
    write(machine.cgroup / "cgroup.controllers", "memory\n")
    machine.add_v2(group, memory_max=1000 * MIB)
    machine.add_process(40, b"apache2", anon_kb=10 * 1024, cgroup=f"0::{group}")
    for number in range(6):
        machine.add_process(50 + number, b"apache2", ppid=40, anon_kb=200 * 1024, threads=27, cgroup=f"0::{group}")
    conf = machine.proc.parent / "etc/apache2/mods-enabled/mpm_event.conf"
    write(conf, "<IfModule mpm_event_module>\n\tThreadsPerChild\t 25\n\tMaxRequestWorkers\t 150\n</IfModule>\n")
    (workers,) = plans(machine, TasksWish("apache2", only="workers"))
    # (0.85 * 1000 - 10) / 200 = 4 processes of 25 threads.
    assert "+\tMaxRequestWorkers\t 100" in workers.steps[0].diff


def test_the_file_that_a_command_line_names(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path / "root")
    for number in range(4):
        words = b"/usr/bin/python3\0/srv/app/bin/gunicorn\0-c\0conf/g.py\0app:app\0"
        folder = machine.add_process(
            50 + number, b"python3", ppid=50 if number else 1, anon_kb=300 * 1024, cmdline=words
        )
        (folder / "cwd").symlink_to("/srv/app")
    write(
        machine.proc.parent / "srv/app/conf/g.py",
        "import multiprocessing\nworkers = multiprocessing.cpu_count() * 2 + 1\n",
    )
    (workers,) = plans(machine, TasksWish("gunicorn", only="workers"))
    # (0.85 * 1000000 kB - the master's 300 MiB) / 300 MiB = 1.
    assert workers.steps[0].target == "/srv/app/conf/g.py"
    assert workers.steps[0].diff[-3:] == ("+workers = 1", "+max_requests = 1000", "+max_requests_jitter = 100")


def test_fewer_than_there_are_now_is_refused(machine: FakeMachine) -> None:
    (refusal,) = found(machine, TasksWish("php8.2-fpm.service", max_tasks=10, only="max"))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "below-use"


def test_a_users_limit_keeps_the_other_lines(machine: FakeMachine, tmp_path: Path) -> None:
    place = machine.proc.parent / "etc/security/limits.d/60-oomlens.conf"
    write(place, "# mine\nbuild soft nproc 9\nother hard nproc 7\n")
    (plan,) = plans(machine, TasksWish("", max_tasks=500, user="build"))
    apply_and_roll_back(plan, machine.proc.parent, tmp_path / "state")
    run_shell(shell_of(plan, str(machine.proc.parent)))
    write(place.with_name("70-other.conf"), "build hard nproc 1\n")
    (later,) = plans(machine, TasksWish("", max_tasks=500, user="build"))
    assert later.steps[0].target == "/etc/security/limits.d/zz-oomlens.conf"  # the last line of a user counts
    assert place.read_text(encoding="ascii").splitlines() == ["# mine", "other hard nproc 7", "build soft nproc 500", "build hard nproc 500"]  # fmt: skip


@pytest.mark.parametrize(
    "wish", [TasksWish("nothing"), TasksWish("", user="a b", max_tasks=5), TasksWish("", user="x")]
)
def test_what_cannot_be_done_is_refused(machine: FakeMachine, wish: TasksWish) -> None:
    (refusal,) = found(machine, wish)
    assert isinstance(refusal, Refusal)


@pytest.mark.parametrize(("values", "share", "expected"), [([1], 0.95, 1), (list(range(1, 21)), 0.95, 19), ([5, 1, 3], 0.5, 3)])  # fmt: skip
def test_percentile(values: list[int], share: float, expected: int) -> None:
    assert percentile(values, share) == expected
