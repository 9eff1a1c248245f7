"""`plan runtime`: each runtime and server by its own setting, sized by hand; its traps; applied and taken back."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from oomlens.apply.engine import Engine
from oomlens.apply.journal import Journal
from oomlens.apply.machine import Machine
from oomlens.cli.planning import runtime as command
from oomlens.host.read.reader import Reader
from oomlens.host.read.redis_facts import client_of
from oomlens.host.run import Output
from oomlens.i18n import english, translator
from oomlens.model.plan import Plan, Proposal, Refusal, Safety
from oomlens.plan import runtimes
from oomlens.plan.runtimes import BY_NAME
from oomlens.render import plan as page
from oomlens.runtimes.innodb import dedicated_pool, pool_for, rounded_up
from oomlens.runtimes.names import Traits, recognised
from oomlens.runtimes.node import default_heap
from oomlens.runtimes.postgresql import Settings, fitted, given_on_command_line, size_of, worst_case
from oomlens.runtimes.redis import figures_of, limit_for, maxmemory_for
from support.fake_machine import fake_machine, write
from support.plans import apply_and_roll_back, run_shell, shell_of, tree_bytes

MIB, GIB = 1 << 20, 1 << 30


# ---------------------------------------------------------------- what it is
@pytest.mark.parametrize(
    ("traits", "runtime"),
    [
        (Traits("java", "/usr/bin/java"), "jvm"),
        (Traits("tomcat", "/opt/app/launcher", libraries=frozenset({"libjvm.so", "libc.so.6"})), "jvm"),
        (Traits("node", "/usr/bin/node"), "node"),
        (Traits("web", "/srv/web", libraries=frozenset({"libcoreclr.so"})), "dotnet"),
        (Traits("web", "/srv/web", go=True), "go"),
        (Traits("redis-server", "/usr/bin/redis-check-rdb", ("redis-server *:6379",)), "redis"),  # a link of Debian's
        (Traits("postgres", "/usr/lib/postgresql/15/bin/postgres"), "postgresql"),
        (Traits("postgres", None, ("postgres: checkpointer ",)), "postgresql"),
        (Traits("mariadbd", "/usr/sbin/mariadbd (deleted)"), "mysql"),
        (Traits("app", "/srv/app", environment={"GOMEMLIMIT": "1GiB"}), "go"),
        (Traits("app", "/srv/app", environment={"GOMEMLIMIT": "1GiB"}, go=False, libraries=frozenset({"libc.so.6"})), "glibc"),
        (Traits("app", "/srv/app", libraries=frozenset({"libc.so.6"})), "glibc"),
        (Traits("sentinel", "/usr/bin/redis-sentinel"), None),
        (Traits("x", None), None),
    ],
)  # fmt: skip
def test_a_process_is_recognised_by_what_it_is(traits: Traits, runtime: str | None) -> None:
    assert recognised(traits) == runtime


# ---------------------------------------------------------------- a machine with one program
class Program:
    """A process of pid 7 in a cgroup of a unit, below a root; `answers` of programs by their words."""

    def __init__(self, root: Path, program: str, argv: Sequence[str], *, limit_bytes: int = 128 * MIB, environment: str = "",
                 libraries: Sequence[str] = ("libc.so.6",), threads: int = 4, anon_kb: int = 1000, maps: str = "") -> None:  # fmt: skip
        self.root, self.machine = root, fake_machine(root)
        self.answers: dict[str, str] = {}
        write(self.machine.cgroup / "cgroup.controllers", "cpu memory\n")
        self.machine.add_v2("/system.slice/app.service", memory_max=limit_bytes)
        self.program, self.libraries, self.environment, self.maps = program, libraries, environment, maps
        self.add(7, argv, threads=threads, anon_kb=anon_kb)

    def add(self, pid: int, argv: Sequence[str], *, threads: int = 4, anon_kb: int = 1000) -> None:
        place = self.machine.add_process(
            pid, Path(self.program).name.encode()[:15], cgroup="0::/system.slice/app.service", anon_kb=anon_kb, threads=threads,
            cmdline=b"\0".join(map(str.encode, argv)) + b"\0",
        )  # fmt: skip
        write(place / "environ", self.environment.replace("\n", "\0"))
        lines = [
            f"7f000000{number}000-7f000000{number}fff r-xp 00000000 08:01 1  /usr/lib/{name}\n"
            for number, name in enumerate(self.libraries)
        ]
        write(place / "maps", "".join(lines) + self.maps)
        (place / "exe").symlink_to(self.program)

    def run(self, arguments: Sequence[str]) -> Output:
        answer = self.answers.get(" ".join(arguments[-3:]) if "CONFIG" in arguments else arguments[-1])
        return Output(1, "", "no answer") if answer is None else Output(0, answer, "")

    @property
    def reader(self) -> Reader:
        return Reader(self.root, self.run)


def asked(reader: Reader, *words: str) -> tuple[Proposal, ...]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser, english)
    return tuple(command.propose(parser.parse_args(words), reader))


def planned(reader: Reader, *words: str) -> Plan:
    (found,) = asked(reader, *words)
    assert isinstance(found, Plan), found
    return found


def refused(reader: Reader, *words: str) -> Refusal:
    (found,) = asked(reader, *words)
    assert isinstance(found, Refusal), found
    return found


def of(plan: Plan, name: str) -> object:
    return next(term.value for term in plan.arithmetic if term.name == name)


def added(plan: Plan) -> list[str]:
    return [line[1:] for step in plan.steps for line in step.diff[2:] if line.startswith("+")]


# ---------------------------------------------------------------- Node
def test_v8s_heap_is_the_one_that_was_measured_on_node_20() -> None:
    measured = {
        64: 259,
        512: 259,
        600: 312,
        768: 396,
        900: 462,
        1024: 524,
        1536: 792,
        2048: 1048,
        3072: 1584,
        4096: 2096,
        15000: 2096,
        16384: 4144,
        20000: 4144,
    }
    assert {limit: default_heap(limit * MIB) // MIB for limit in measured} == measured


def test_node_gets_two_thirds_of_a_small_limit(tmp_path: Path) -> None:
    plan = planned(Program(tmp_path, "/usr/bin/node", ["node", "app.js"]).reader, "app.service")
    assert (of(plan, "heap now"), of(plan, "heap")) == (259 * MIB, 83 * MIB)  # 0.65 * 128
    assert added(plan)[1:] == ["[Service]", 'Environment="NODE_OPTIONS=--max-old-space-size=83"']


def test_node_processes_share_the_limit(tmp_path: Path) -> None:
    program = Program(tmp_path, "/usr/bin/node", ["node", "app.js"])
    program.add(8, ["node", "worker.js"])
    program.machine.add_process(9, b"sh", anon_kb=28 * 1024, cgroup="0::/system.slice/app.service")
    plan = planned(program.reader, "app")
    assert of(plan, "limit") == 100 * MIB  # the shell's 28 are not theirs
    assert of(plan, "heap") == 32 * MIB  # 0.65 * 50


def test_node_options_keep_what_they_hold(tmp_path: Path) -> None:
    program = Program(
        tmp_path,
        "/usr/bin/node",
        ["node", "app.js"],
        environment="NODE_OPTIONS=--enable-source-maps --max_old_space_size=4096",
    )
    write(
        tmp_path / "etc/systemd/system/app.service",
        '[Service]\nEnvironment="NODE_OPTIONS=--enable-source-maps --max_old_space_size=4096"\n',
    )
    plan = planned(program.reader, "app.service")
    assert added(plan)[-1] == 'Environment="NODE_OPTIONS=--enable-source-maps --max-old-space-size=83"'


def test_a_heap_on_nodes_command_line_has_to_be_changed_there(tmp_path: Path) -> None:
    program = Program(tmp_path, "/usr/bin/node", ["node", "--max-old-space-size=512", "app.js"])
    assert refused(program.reader, "app.service").code == "on-command-line"  # NODE_OPTIONS would lose
    write(
        tmp_path / "etc/systemd/system/app.service",
        "[Service]\nExecStart=/usr/bin/node --max-old-space-size=512 app.js\n",
    )
    assert added(planned(program.reader, "app.service")) == ["ExecStart=/usr/bin/node --max-old-space-size=83 app.js"]


def test_a_heap_that_fits_is_left_alone(tmp_path: Path) -> None:
    program = Program(tmp_path, "/usr/bin/node", ["node", "--max-old-space-size=96", "app.js"])
    assert refused(program.reader, "7").code == "fits-already"  # 0.75 * 128


def test_v8s_own_bound_fits_a_large_limit(tmp_path: Path) -> None:
    program = Program(tmp_path, "/usr/bin/node", ["node", "app.js"], limit_bytes=8 * GIB)
    found = refused(program.reader, "7")
    assert (found.code, found.text.values["heap_bytes"]) == (
        "fits-already",
        2096 * MIB,
    )  # and 4 GiB more would change nothing
    assert of(planned(program.reader, "7", "--size", "5G"), "heap") == 5 * GIB


# ---------------------------------------------------------------- Go
def test_go_is_told_nine_tenths_of_its_limit(tmp_path: Path) -> None:
    program = Program(tmp_path, "/srv/app", ["/srv/app"], environment="GOMEMLIMIT=1GiB\nGOGC=off", anon_kb=120 * 1024)
    plan = planned(program.reader, "app.service")
    assert added(plan)[1:] == ["[Service]", 'Environment="GOMEMLIMIT=115MiB"']  # 0.9 * 128 = 115.2
    told = " ".join(text.text for text in plan.warnings)
    assert "GOGC is off" in told
    assert "it holds" in told


def test_go_with_less_is_left_alone(tmp_path: Path) -> None:
    program = Program(tmp_path, "/srv/app", ["/srv/app"], environment="GOMEMLIMIT=100MiB")
    assert refused(program.reader, "app.service").code == "fits-already"


# ---------------------------------------------------------------- .NET
def test_dotnet_processes_each_take_three_quarters_by_default(tmp_path: Path) -> None:
    program = Program(tmp_path, "/usr/bin/dotnet", ["dotnet", "a.dll"], limit_bytes=200 * MIB)
    plan = planned(program.reader, "app.service")
    assert of(plan, "heap now") == 150 * MIB
    assert added(plan)[1:] == ["[Service]", 'Environment="DOTNET_GCHeapHardLimitPercent=3C"']  # 60
    program.add(8, ["dotnet", "b.dll"])
    assert (
        added(planned(program.reader, "app.service"))[2] == 'Environment="DOTNET_GCHeapHardLimitPercent=1E"'
    )  # 30 each


def test_dotnets_variables_are_hexadecimal(tmp_path: Path) -> None:
    program = Program(
        tmp_path, "/usr/bin/dotnet", ["dotnet"], environment="DOTNET_GCHeapHardLimitPercent=0x50", limit_bytes=100 * MIB
    )
    assert of(planned(program.reader, "7"), "heap now") == 80 * MIB
    program = Program(
        tmp_path / "b",
        "/usr/bin/dotnet",
        ["dotnet"],
        environment="COMPlus_GCHeapHardLimit=4000000",
        limit_bytes=100 * MIB,
    )
    assert refused(program.reader, "7").code == "fits-already"  # 64 MiB


# ---------------------------------------------------------------- malloc
ARENAS = "".join(
    f"7fff{number}0000000-7fff{number}0021000 rw-p 00000000 00:00 0 \n7fff{number}0021000-7fff{number}4000000 ---p 00000000 00:00 0 \n"
    for number in range(3)
)


def test_many_arenas_become_two(tmp_path: Path) -> None:
    program = Program(tmp_path, "/usr/bin/python3", ["python3"], threads=64, maps=ARENAS)
    plan = planned(program.reader, "app.service")
    assert (of(plan, "arenas"), of(plan, "arenas allowed")) == (3, 32)  # 8 * 4 CPUs
    assert added(plan)[1:] == ["[Service]", 'Environment="MALLOC_ARENA_MAX=2"']


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"threads": 1}, "no-gain"),
        ({"threads": 64}, "no-gain"),  # no arena beside the first
        ({"threads": 64, "maps": ARENAS, "environment": "MALLOC_ARENA_MAX=1"}, "no-gain"),
        ({"threads": 64, "maps": ARENAS, "libraries": ("libc.so.6", "libjemalloc.so.2")}, "other-allocator"),
        ({"threads": 64, "maps": ARENAS, "libraries": ("ld-musl-x86_64.so.1",)}, "other-allocator"),
    ],
)  # fmt: skip
def test_arenas_are_left_alone_where_nothing_is_gained(tmp_path: Path, more: dict[str, object], code: str) -> None:
    program = Program(tmp_path, "/usr/bin/python3", ["python3"], **more)  # type: ignore[arg-type]
    assert refused(program.reader, "7", "--as", "glibc").code == code


# ---------------------------------------------------------------- PostgreSQL
def test_postgresqls_worst_case_is_reckoned_by_its_manual() -> None:
    now = Settings(128 * MIB, 4 * MIB, 64 * MIB, 2.0, 100, 8)
    # 128 + 64 + 100 * 5 + (100 + 8) * 4 * 2.0
    assert worst_case(now) == (128 + 64 + 500 + 864) * MIB
    assert fitted(now, 4 * GIB) == now
    wanted = fitted(now, GIB)
    assert wanted is not None
    assert wanted.work_bytes == MIB  # 0.9 * 1024 - 692 = 229.6; / 108 / 2.0 = 1.06, whole MiB
    assert worst_case(wanted) <= 0.9 * GIB


def test_connections_go_only_where_work_mem_cannot() -> None:
    wanted = fitted(Settings(128 * MIB, 4 * MIB, 64 * MIB, 2.0, 100, 8), 512 * MIB)
    assert wanted is not None
    assert (wanted.work_bytes, wanted.connections) == (MIB, 36)  # 460.8 - 192 - 8 * 2 = 252.8; / (5 + 2) = 36.1
    assert fitted(Settings(128 * MIB, 4 * MIB, 64 * MIB, 2.0, 100, 8), 128 * MIB) is None
    large = fitted(Settings(GIB, 4 * MIB, 64 * MIB, 2.0, 100, 8), 2 * GIB)
    assert large is not None
    assert large.shared_bytes == 512 * MIB  # a quarter, as it was more than two fifths


def test_postgresqls_sizes_have_units_of_their_own() -> None:
    assert [size_of("shared_buffers", each) for each in ("16384", "128MB", "1GB", "512kB")] == [
        128 * MIB,
        128 * MIB,
        GIB,
        512 << 10,
    ]
    assert size_of("work_mem", "4096") == 4 * MIB
    assert size_of("work_mem", "lots") is None
    assert given_on_command_line(["postgres", "-D", "/d", "-c", "work_mem=8MB", "--max-connections=20", "-B", "99"]) == {
        "work_mem": "8MB", "max_connections": "20", "shared_buffers": "99",
    }  # fmt: skip


CONF = "# PostgreSQL\nmax_connections = 100\t\t\t# (change requires restart)\nshared_buffers = 128MB\n#work_mem = 4MB\t\t\t\t# min 64kB\n"


def postgresql(root: Path, conf: str = CONF, **more: str) -> Program:
    program = Program(root, "/usr/lib/postgresql/15/bin/postgres", ["postgres", "-D", "/data"], limit_bytes=GIB)
    write(root / "data/postgresql.conf", conf)
    for name, text in more.items():
        write(root / "data" / name.replace("_", "."), text)
    return program


def test_postgresql_conf_changes_by_a_line(tmp_path: Path) -> None:
    root = tmp_path / "root"
    program = postgresql(root)
    plan = planned(program.reader, "app.service")
    assert added(plan) == ["work_mem = 1MB"]
    before = tree_bytes(root)
    apply_and_roll_back(plan, root, tmp_path / "state")
    run_shell(shell_of(plan, str(root)))
    text = (root / "data/postgresql.conf").read_text(encoding="utf-8")
    assert text == CONF.replace("# min 64kB\n", "# min 64kB\nwork_mem = 1MB\n")
    run_shell(shell_of(plan, str(root), undo=True))
    assert tree_bytes(root) == before


def test_what_alter_system_wrote_wins_and_is_left_to_it(tmp_path: Path) -> None:
    program = postgresql(tmp_path, postgresql_auto_conf="work_mem = '64MB'\n")
    plan = planned(program.reader, "app.service")
    assert plan.safety is Safety.MANUAL
    assert list(plan.steps[0].parameters["commands"]) == [
        "sudo -u postgres psql -c 'ALTER SYSTEM SET work_mem = '\"'\"'1MB'\"'\"''"
    ]


def test_the_command_line_wins_over_the_files(tmp_path: Path) -> None:
    program = postgresql(tmp_path)
    (tmp_path / "proc/7/cmdline").write_bytes(b"postgres\0-D\0/data\0-c\0work_mem=64MB\0")
    assert planned(program.reader, "7").steps[0].parameters["commands"] == ["# in its command line: -c work_mem=1MB"]


def test_included_files_count_in_their_order(tmp_path: Path) -> None:
    program = postgresql(tmp_path, CONF + "include_dir 'conf.d'\n")
    write(tmp_path / "data/conf.d/10.conf", "work_mem = 64MB\n")
    assert planned(program.reader, "app.service").steps[0].target == "/data/conf.d/10.conf"


@pytest.mark.skipif(
    shutil.which("postgres") is None or os.geteuid() != 0, reason="needs PostgreSQL, and root to run it as another user"
)
def test_postgresql_itself_reads_what_was_written() -> None:
    nobody = 65534  # the server does not run as root, and wants its folder for itself
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run_shell(shell_of(planned(postgresql(root).reader, "app.service"), str(root)))
        os.chown(root, nobody, nobody)
        for place in (root / "data", *(root / "data").iterdir()):
            os.chown(place, nobody, nobody)
        (root / "data").chmod(0o700)
        done = subprocess.run(["postgres", "-C", "work_mem", "-D", root / "data"], user=nobody, group=nobody, extra_groups=[],
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.stdout.strip() == "1024", done.stderr  # kB


# ---------------------------------------------------------------- MySQL
def test_a_pool_is_never_rounded_up_by_the_server() -> None:
    for mib in range(64, 65536, 97):
        pool = pool_for(mib * MIB)
        assert rounded_up(pool) == pool
        assert pool <= mib * MIB * 0.7
    assert pool_for(2 * GIB) == GIB  # 1.2 GiB would become 2
    assert rounded_up(1229 * MIB) == 2 * GIB
    assert [dedicated_pool(gib * GIB) // MIB for gib in (0, 2, 4, 16)] == [128, 1024, 2048, 12288]


MYCNF = (
    "[client]\nport=3306\n\n[mysqld]\n# innodb_buffer_pool_size = 128M\ninnodb_dedicated_server\n\n[mysqldump]\nquick\n"
)


def test_a_dedicated_server_takes_the_hosts_memory_and_is_told_its_limit(tmp_path: Path) -> None:
    root = tmp_path / "root"
    program = Program(root, "/usr/sbin/mysqld", ["mysqld"], limit_bytes=512 * MIB)
    write(root / "etc/mysql/my.cnf", MYCNF)
    plan = planned(program.reader, "app.service")
    assert "the server detects" in plan.why[0].text
    assert added(plan) == ["innodb_buffer_pool_size = 256M"]  # 0.5 * 512
    apply_and_roll_back(plan, root, tmp_path / "state")


def test_the_file_that_sets_the_pool_last_is_changed(tmp_path: Path) -> None:
    program = Program(tmp_path, "/usr/sbin/mariadbd", ["mariadbd"], limit_bytes=GIB)
    write(tmp_path / "etc/mysql/my.cnf", "[server]\ninnodb_buffer_pool_size=64M\n!includedir /etc/mysql/conf.d/\n")
    write(tmp_path / "etc/mysql/conf.d/50-server.cnf", "[mariadb]\ninnodb-buffer-pool-size = 2G  # large\n")
    plan = planned(program.reader, "app.service")
    assert plan.steps[0].target == "/etc/mysql/conf.d/50-server.cnf"
    assert added(plan) == ["innodb-buffer-pool-size = 512M  # large"]  # 0.6 * 1024 = 614, in steps of 128
    assert of(plan, "pool now") == 2 * GIB


def test_mysqls_command_line_wins(tmp_path: Path) -> None:
    program = Program(tmp_path, "/usr/sbin/mysqld", ["mysqld", "--innodb_buffer_pool_size=8G"])
    write(tmp_path / "etc/my.cnf", "[mysqld]\n")
    assert refused(program.reader, "7").code == "on-command-line"


# ---------------------------------------------------------------- Redis
def test_redis_leaves_half_for_what_a_snapshot_copies() -> None:
    assert maxmemory_for(110 * MIB, snapshots=True) == 47 * MIB  # (110 - 16) / 2
    assert maxmemory_for(110 * MIB, snapshots=False) == 75 * MIB  # 0.8 * 94
    assert limit_for(47 * MIB, snapshots=True) == 110 * MIB
    assert figures_of("# Memory\r\nused_memory:123\r\n\r\nbad line\r\nx:y:z\r\n") == {"used_memory": "123", "x": "y:z"}


INFO = "used_memory:{used}\r\nconfig_file:/etc/redis/redis.conf\r\nrdb_last_cow_size:5000000\r\n"


def redis(
    root: Path,
    *,
    used: int = 10 * MIB,
    policy: str = "noeviction",
    save: str = "3600 1",
    conf: str = "port 6379\n# maxmemory <bytes>\n",
) -> Program:
    program = Program(
        root,
        "/usr/bin/redis-check-rdb",
        ["redis-server 127.0.0.1:6379"],
        limit_bytes=216 * MIB,
        libraries=("libjemalloc.so.2",),
    )
    program.answers = {
        "INFO": INFO.format(used=used), "CONFIG GET maxmemory": "maxmemory\n0\n", "CONFIG GET maxmemory-policy": f"maxmemory-policy\n{policy}\n",
        "CONFIG GET save": f"save\n{save}\n", "CONFIG GET appendonly": "appendonly\nno\n",
    }  # fmt: skip
    (root / "proc/7/stat").write_bytes((root / "proc/7/stat").read_bytes().replace(b"redis-check-rdb", b"redis-server"))
    write(root / "etc/redis/redis.conf", conf)
    return program


def test_redis_is_set_in_its_file_and_while_it_runs(tmp_path: Path) -> None:
    plan = planned(redis(tmp_path).reader, "app.service")
    assert added(plan) == [f"maxmemory {100 * MIB}"]  # (216 - 16) / 2
    live = plan.steps[1]
    assert live.parameters["argv"] == [
        "redis-cli",
        "-h",
        "127.0.0.1",
        "-p",
        "6379",
        "CONFIG",
        "SET",
        "maxmemory",
        str(100 * MIB),
    ]
    assert live.parameters["undo_argv"][-1] == "0"
    assert live.safety is Safety.SAFE


def test_a_server_that_is_gone_has_nothing_to_take_back(tmp_path: Path) -> None:
    root = tmp_path / "root"
    program = redis(root)
    plan = planned(program.reader, "app.service")
    held = {"maxmemory": "0", "up": True}

    def run(arguments: Sequence[str]) -> Output:
        if not held["up"]:
            return Output(1, "", "Could not connect")
        if "SET" in arguments:
            held["maxmemory"] = arguments[-1]
        return Output(0, "OK" if "SET" in arguments else f"maxmemory\n{held['maxmemory']}\n", "")

    before = tree_bytes(root)
    engine = Engine(Machine(root, run), Journal(tmp_path / "state"))
    done = engine.apply(plan, frozenset())
    assert held["maxmemory"] == str(100 * MIB)
    held["up"] = False
    assert done.application is not None
    engine.rollback(done.application)
    assert tree_bytes(root) == before


def test_what_redis_holds_beside_its_data_is_measured(tmp_path: Path) -> None:
    program = redis(tmp_path)
    program.answers["INFO"] += f"used_memory_rss:{34 * MIB}\r\n"  # 24 more than its data
    assert of(planned(program.reader, "app.service"), "maxmemory") == 96 * MIB  # (216 - 24) / 2


def test_without_snapshots_more_data_fits(tmp_path: Path) -> None:
    assert of(planned(redis(tmp_path, save="").reader, "app.service"), "maxmemory") == 160 * MIB


@pytest.mark.parametrize(
    ("policy", "said"), [("noeviction", "every write would be refused"), ("allkeys-lru", "keys are evicted at once")]
)
def test_more_data_than_that_is_said_and_not_set_by_itself(tmp_path: Path, policy: str, said: str) -> None:
    plan = planned(redis(tmp_path, used=150 * MIB, policy=policy).reader, "app.service")
    assert said in " ".join(text.text for text in plan.warnings)
    assert plan.steps[1].safety is Safety.DISRUPTIVE
    assert any(text.values.get("needed_bytes") == 316 * MIB for text in plan.why)  # 16 + 2 * 150


def test_where_redis_listens_is_read_from_its_title() -> None:
    assert client_of(["redis-server *:6379"]) == ["redis-cli", "-h", "127.0.0.1", "-p", "6379"]
    assert client_of(["/usr/bin/redis-server [::1]:7000 [cluster]"]) == ["redis-cli", "-h", "::1", "-p", "7000"]
    assert client_of(["valkey-server unixsocket:/run/v.sock"]) == ["redis-cli", "-s", "/run/v.sock"]
    assert client_of(["redis-server $(reboot):1"]) is None


# ---------------------------------------------------------------- around them
def test_every_runtime_has_a_row_and_the_command_knows_it() -> None:
    assert set(command._NAMES) == set(BY_NAME)
    files = {place.stem for place in Path(runtimes.__file__).parent.glob("*.py")} - {"__init__", "row"}
    assert files == set(BY_NAME)
    assert {row.remedy for row in BY_NAME.values()} >= {"set-node-heap", "set-go-memlimit"}


def test_nothing_named_and_nothing_to_do_are_refused(tmp_path: Path) -> None:
    program = Program(tmp_path, "/usr/bin/java", ["java"])
    assert [refused(program.reader, *words).code for words in ((), ("7",), ("--as", "node"), ("--as", "redis", "--limit", "1G"))] == [
        "no-target", "no-lever", "no-limit", "no-config",
    ]  # fmt: skip


def test_every_sentence_is_japanese_too(tmp_path: Path) -> None:
    japanese = translator("ja")
    plans = [
        planned(Program(tmp_path / "a", "/usr/bin/node", ["node"]).reader, "7"),
        planned(Program(tmp_path / "b", "/srv/app", ["app"], environment="GOMEMLIMIT=1GiB\nGOGC=off").reader, "7"),
        planned(Program(tmp_path / "c", "/usr/bin/dotnet", ["dotnet"]).reader, "7"),
        planned(Program(tmp_path / "d", "/usr/bin/python3", ["python3"], threads=64, maps=ARENAS).reader, "7"),
        planned(postgresql(tmp_path / "e").reader, "7"),
        planned(redis(tmp_path / "f", used=150 * MIB).reader, "7"),
    ]
    for plan in plans:
        for text in (plan.title, *plan.why, *plan.warnings):
            assert japanese(text.text) != text.text, text.text
        assert re.search("[ぁ-ん]", page.render([plan], [], japanese))
