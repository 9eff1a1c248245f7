"""Runtimes in a small memory cgroup of their own, through the real command line: killed, planned, survives, taken back, killed.

The first loop runs wherever there is a JDK; the rest only with OOMLENS_RUNTIME_TESTS=1, since each takes some seconds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oomlens.host.read.process_traits import ProcessView
from oomlens.runtimes.jvm_flags import Flags, flags_of
from oomlens.runtimes.jvm_heap import hotspot_heap
from support.memcg import kills_in, own_memcg
from support.proof import proven

MIB = 1 << 20
KILLED = 137
pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a memory cgroup")]
needs_java = pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("java", "javac", "jcmd")), reason="a JDK is not installed"
)
more = pytest.mark.skipif(
    "OOMLENS_RUNTIME_TESTS" not in os.environ, reason="takes a while; set OOMLENS_RUNTIME_TESTS=1"
)

PROGRAM = """
import java.lang.reflect.*;
import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.*;

public class Held {
  static volatile byte[] sink;
  static final List<Object> keep = new ArrayList<>();

  static void hold(int mib) { for (int i = 0; i < mib * 16; i++) { byte[] b = new byte[1 << 16]; Arrays.fill(b, (byte) 1); keep.add(b); } }

  public static void main(String[] a) throws Exception {
    Path go = Path.of(a[2]);
    if (!Files.exists(go)) { hold(20); System.out.println("ready"); System.out.flush(); }
    while (!Files.exists(go)) Thread.sleep(50);
    keep.clear();
    int mib = Integer.parseInt(a[1]);
    switch (a[0]) {
      case "heap": hold(mib); break;
      case "leak": while (true) hold(1);
      case "direct": for (int i = 0; i < mib; i++) { ByteBuffer b = ByteBuffer.allocateDirect(1 << 20); keep.add(b); for (int j = 0; j < 1 << 20; j += 4096) b.put(j, (byte) 1); } break;
      case "classes": while (true) { ClassLoader l = new ClassLoader(Held.class.getClassLoader()) {}; for (int i = 0; i < 50; i++) keep.add(Proxy.newProxyInstance(l, new Class<?>[]{Runnable.class, Comparable.class}, (p, m, x) -> null)); }
      case "threads": for (int i = 0; i < mib; i++) { Thread t = new Thread(() -> { try { Thread.sleep(60000); } catch (InterruptedException e) { } }); t.setDaemon(true); t.start(); } break;
    }
    for (long end = System.currentTimeMillis() + 1000; System.currentTimeMillis() < end; ) { sink = new byte[1 << 16]; Arrays.fill(sink, (byte) 2); }
    System.out.println("survived");
  }
}
"""


class Ended(NamedTuple):
    """returncode as a shell tells it: 137 for SIGKILL. kills: of the kernel in the cgroup meanwhile."""

    returncode: int
    kills: int
    output: str


@contextmanager
def started(folder: Path, argv: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A program that begins its life in a cgroup; ended at the end."""
    inside = ["sh", "-c", 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"', "sh", str(folder), *argv]
    with subprocess.Popen(inside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def run_in(folder: Path, argv: Sequence[str], timeout: float = 60.0) -> Ended:
    before = kills_in(folder)
    with started(folder, argv) as process:
        output, _ = process.communicate(timeout=timeout)
    code = process.returncode
    return Ended(128 - code if code < 0 else code, kills_in(folder) - before, output)


class Cli:
    """The real command line, with a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "plan.json"

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "oomlens", "--lang", "en", *words], capture_output=True, text=True, check=False, timeout=120
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def plan(self, *words: str) -> Any:
        self("plan", *words, "--out", str(self.out))
        (plan,) = json.loads(self.out.read_text(encoding="utf-8"))["plans"]
        return plan

    def apply(self, *words: str) -> None:
        self("apply", str(self.out), "--yes", "--state", str(self.folder / "state"), *words)

    def rollback(self) -> None:
        self("rollback", "--state", str(self.folder / "state"))


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classes")
    (folder / "Held.java").write_text(PROGRAM, encoding="utf-8")
    subprocess.run(["javac", "-d", folder, folder / "Held.java"], check=True)
    return folder


def until_ready(process: subprocess.Popen[str]) -> None:
    """Reads what it prints, warnings of the JVM too, until it says that it waits."""
    assert process.stdout is not None
    for line in process.stdout:
        if line == "ready\n":
            return
    raise AssertionError("it ended")


def script(place: Path, line: str) -> list[str]:
    place.write_text(f"#!/bin/sh\n# how it is started\nexec {line}\n", encoding="utf-8")
    place.chmod(0o755)
    return [str(place)]


def loop(
    tmp_path: Path, limit_mib: int, argv: list[str], planned: Callable[[Cli], Any], survived: Callable[[Ended], bool]
) -> Any:
    """Killed; with the plan it survives; taken back it is killed again, and the script is byte for byte as it was."""
    cli, place = Cli(tmp_path), Path(argv[0])
    before = place.read_bytes()
    with own_memcg(limit_mib * MIB) as folder:
        first = run_in(folder, argv)
        assert (first.returncode, first.kills) == (KILLED, 1), first.output
        plan = planned(cli)
        cli.apply()
        second = run_in(folder, argv)
        assert second.kills == 0, second.output
        assert survived(second), second
        cli.rollback()
        assert place.read_bytes() == before
        third = run_in(folder, argv)
        assert (third.returncode, third.kills) == (KILLED, 1), third.output
    return plan


# ---------------------------------------------------------------- Java
@needs_java
def test_a_jvm_is_killed_planned_survives_is_taken_back_and_killed(tmp_path: Path, classes: Path) -> None:
    """`-Xmx200m` in 128 MiB with 66 MiB alive. The running JVM is measured while it holds less."""
    go, cli = tmp_path / "go", Cli(tmp_path)
    argv = script(
        tmp_path / "start.sh", f"java -Xmx200m -XX:NativeMemoryTracking=summary -cp {classes} Held heap 66 {go}"
    )
    before = (tmp_path / "start.sh").read_bytes()
    with own_memcg(128 * MIB) as folder:
        with started(folder, argv) as process:
            until_ready(process)
            plan = cli.plan("jvm", str(process.pid), "--in", argv[0])
            go.touch()
            process.wait(timeout=60)
        assert (process.returncode, kills_in(folder)) == (-9, 1)
        cli.apply()
        after = run_in(folder, argv)
        assert (after.returncode, after.kills, after.output) == (0, 0, "survived\n")
        cli.rollback()
        assert (tmp_path / "start.sh").read_bytes() == before
        again = run_in(folder, argv)
        assert (again.returncode, again.kills) == (KILLED, 1)
    size = re.search(r"-Xmx(\d+)m", plan["steps"][0]["diff"][-1])
    assert size is not None
    assert 70 <= int(size[1]) <= 84
    assert {term["name"] for term in plan["arithmetic"]} >= {"heap in use", "metaspace", "code", "threads"}
    proven(
        "runtimes",
        "jvm",
        "this-kernel",
        f"JDK 17 in 128 MiB: -Xmx200m killed, -Xmx{size[1]}m survives, taken back: killed",
    )


@needs_java
@more
@pytest.mark.parametrize(
    ("flags", "alive", "before", "after"),
    [
        ("-Xmx200m -XX:+UseG1GC", 50, KILLED, 0),  # these collectors need more beside what is alive
        ("-Xmx200m -XX:+UseParallelGC", 50, KILLED, 0),
        ("-XX:MaxRAMFraction=1 -XX:MinRAMFraction=1", 90, KILLED, 3),  # more than fits: a Java error, and no kill
        ("-XX:MaxRAMPercentage=75", 66, 1, 0),  # ignored: 64 MiB, an OutOfMemoryError
        ("", 66, 1, 0),
    ],
)
def test_rows_that_were_measured_are_fixed_without_trial(
    tmp_path: Path, classes: Path, flags: str, alive: int, before: int, after: int
) -> None:
    go = tmp_path / "go"
    argv = script(
        tmp_path / "start.sh", f"java {flags} -XX:NativeMemoryTracking=summary -cp {classes} Held heap {alive} {go}"
    )
    with own_memcg(128 * MIB) as folder:
        with started(folder, argv) as process:
            until_ready(process)
            Cli(tmp_path).plan("jvm", str(process.pid), "--in", argv[0])
            go.touch()
            output, _ = process.communicate(timeout=60)
        code = 128 - process.returncode if process.returncode < 0 else process.returncode
        assert code == before, output
        Cli(tmp_path).apply()
        fixed = run_in(folder, argv)
        assert (fixed.returncode, fixed.kills) == (after, 0), fixed.output
    what = "killed" if before == KILLED else "OutOfMemoryError"
    then = "it survives" if after == 0 else "an OutOfMemoryError and no kill"
    proven(
        "runtimes",
        "jvm",
        "this-kernel",
        f"JDK 17 in 128 MiB, {flags or 'no flags'}: {what}, with the plan {then}",
    )


@needs_java
@more
@pytest.mark.parametrize(
    ("mode", "flags", "before", "error"),
    [
        ("classes", "-Xmx64m", KILLED, "OutOfMemoryError: Metaspace"),
        ("leak", "-Xmx200m", KILLED, "OutOfMemoryError: Java heap space"),
    ],
)
def test_what_cannot_be_helped_ends_with_a_java_error(
    tmp_path: Path, classes: Path, mode: str, flags: str, before: int, error: str
) -> None:
    go = tmp_path / "go"
    argv = script(
        tmp_path / "start.sh", f"java {flags} -XX:NativeMemoryTracking=summary -cp {classes} Held {mode} 0 {go}"
    )
    with own_memcg(128 * MIB) as folder:
        with started(folder, argv) as process:
            until_ready(process)
            Cli(tmp_path).plan("jvm", str(process.pid), "--in", argv[0])
            go.touch()
            process.wait(timeout=60)
        assert process.returncode == before - 128 - 2 * (before - 128)
        Cli(tmp_path).apply()
        ended = run_in(folder, argv)
        assert (ended.returncode, ended.kills) == (3, 0), ended.output
        assert error in ended.output
    leaked = "classes" if mode == "classes" else "objects"
    proven(
        "runtimes",
        "jvm",
        "this-kernel",
        f"JDK 17 in 128 MiB, a leak of {leaked} with {flags}: killed; with the plan {error}, exit 3",
    )


@needs_java
@more
@pytest.mark.parametrize(
    ("mode", "amount", "flags", "code", "error"),
    [
        ("direct", 100, "-Xmx64m", 1, "direct buffer memory"),  # the limit of direct buffers is -Xmx by default
        ("threads", 600, "-Xmx64m -Xss1m", 0, "survived"),
        ("threads", 600, "-Xmx64m -Xss256k", 0, "survived"),
        ("leak", 0, "-Xmx64m", 1, "OutOfMemoryError: Java heap space"),
        ("leak", 0, "-Xmx64m -XX:+ExitOnOutOfMemoryError", 3, "Terminating due to java.lang.OutOfMemoryError"),
        ("heap", 60, "-Xmx88m", 0, "survived"),
    ],
)
def test_rows_that_no_kernel_kills(
    tmp_path: Path, classes: Path, mode: str, amount: int, flags: str, code: int, error: str
) -> None:
    go = tmp_path / "go"
    go.touch()
    with own_memcg(128 * MIB) as folder:
        ended = run_in(folder, ["java", *flags.split(), "-cp", str(classes), "Held", mode, str(amount), str(go)])
    assert (ended.returncode, ended.kills) == (code, 0), ended.output
    assert error.lower() in ended.output.lower()


@needs_java
@pytest.mark.parametrize(("limit", "flags"), [
    (64, "-XX:MaxRAMPercentage=75.0"), (128, ""), (250, "-XX:MaxRAMPercentage=75.0"), (128, "-XX:MaxRAM=4g"),
    (128, "-XX:MaxRAMPercentage=60.0 -XX:MinRAMPercentage=60.0"), (200, "-Xms100m"),
])  # fmt: skip
def test_the_heap_is_what_this_jvm_itself_says(limit: int, flags: str) -> None:
    """The rule against the JVM that is installed here."""
    with own_memcg(limit * MIB) as folder:
        ended = run_in(folder, ["java", *flags.split(), "-XX:+PrintFlagsFinal", "-version"])
    found = re.search(r" MaxHeapSize\s*:?= (\d+)", ended.output)
    assert found is not None, ended.output
    assert hotspot_heap(limit * MIB, Flags(flags_of(flags.split(), "command line"))).max_bytes == int(found[1])


# ---------------------------------------------------------------- Node
LEAK = "const held = []; for (;;) { const part = []; for (let i = 0; i < 1000; i++) part.push('x' + Math.random()); held.push(part); }"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


@needs_node
@more
def test_node_is_killed_and_with_a_heap_of_its_own_ends_with_a_javascript_error(tmp_path: Path) -> None:
    (tmp_path / "leak.js").write_text(LEAK, encoding="utf-8")
    argv = script(tmp_path / "start.sh", f"node {tmp_path}/leak.js")
    plan = loop(
        tmp_path, 128, argv, lambda cli: cli.plan("runtime", "--as", "node", "--limit", "128M", "--in", argv[0]),
        lambda ended: ended.returncode == 134 and "JavaScript heap out of memory" in ended.output,
    )  # fmt: skip
    assert "--max-old-space-size=83" in plan["steps"][0]["diff"][-2] + plan["steps"][0]["diff"][-1] + "".join(
        plan["steps"][0]["diff"]
    )
    proven(
        "runtimes",
        "runtime",
        "this-kernel",
        "Node 20 in 128 MiB, a leak: killed; with --max-old-space-size=83 a JavaScript error, exit 134; taken back: killed",
    )


# ---------------------------------------------------------------- Redis
def encoded(words: Sequence[bytes]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Redis:
    """A server on a unix socket in a cgroup."""

    def __init__(self, folder: Path, conf: Path) -> None:
        self.socket = conf.parent / "s"
        self.process = subprocess.Popen(
            ["sh", "-c", 'echo $$ > "$1/cgroup.procs" && exec redis-server "$2"', "sh", str(folder), str(conf)]
        )
        self.connection = socket.socket(socket.AF_UNIX)
        for _ in range(200):
            with suppress(OSError):
                self.connection.connect(str(self.socket))
                break
            time.sleep(0.05)
        self.reader = self.connection.makefile("rb")

    def __call__(self, *words: bytes) -> bytes:
        self.connection.sendall(encoded(words))
        answer = self.reader.readline()
        return self.reader.read(int(answer[1:]) + 2) if answer[:1] == b"$" else answer

    def many(self, commands: Sequence[tuple[bytes, ...]]) -> bool:
        """Whether all were accepted."""
        self.connection.sendall(b"".join(map(encoded, commands)))
        return all([self.reader.readline()[:1] in (b"+", b":") for _ in commands])  # noqa: C419 - every answer has to be read

    def fill(self, mib: int) -> int:
        """Sets small keys up to that much data, or to a little less than it takes; how many."""
        count, value = 0, b"v" * 150
        while self.used() < mib * MIB:
            if not self.many([(b"SET", b"k%d" % (count + number), value) for number in range(1000)]):
                self.many([(b"DEL", b"k%d" % number) for number in range(count * 96 // 100, count + 1000)])
                return count * 96 // 100
            count += 1000
        return count

    def used(self) -> int:
        found = re.search(rb"used_memory:(\d+)", self(b"INFO", b"memory"))
        return int(found[1]) if found else 0

    def snapshot_under_writes(self, keys: int) -> None:
        """All of the data is written to while it is copied out."""
        self(b"BGSAVE")
        place = 0
        while b"rdb_bgsave_in_progress:1" in self(b"INFO", b"persistence"):
            assert self.many([(b"SETRANGE", b"k%d" % ((place + number) % keys), b"0", b"w") for number in range(1000)])
            place += 1000

    def close(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()


def snapshot_kills(limit: int, conf: Path, during: Callable[[Redis], None] = lambda _redis: None) -> int:
    """How many kills a snapshot under writes costs a server that is filled with 56 MiB, or with what it takes."""
    (conf.parent / "dump.rdb").unlink(missing_ok=True)
    with own_memcg(limit) as folder:
        server = Redis(folder, conf)
        try:
            during(server)
            keys = server.fill(56)
            with suppress(OSError, ValueError):  # it may be the server that is killed
                server.snapshot_under_writes(keys)
            return kills_in(folder)
        finally:
            server.close()


@pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("redis-server", "redis-cli")), reason="Redis is not installed"
)
@more
def test_a_snapshot_kills_redis_and_with_a_bound_it_does_not(tmp_path: Path) -> None:
    conf = tmp_path / "redis.conf"
    conf.write_text(
        f"port 0\nunixsocket {tmp_path}/s\ndir {tmp_path}\nsave 3600 1\nloglevel warning\nrdb-key-save-delay -3\n",
        encoding="utf-8",
    )
    before, cli = conf.read_bytes(), Cli(tmp_path)
    assert snapshot_kills(80 * MIB, conf) >= 1

    def plan(server: Redis) -> None:
        made = cli.plan("runtime", str(server.process.pid), "--in", str(conf))
        cli.apply("--allow", made["steps"][1]["id"])  # in the running server too

    assert snapshot_kills(80 * MIB, conf, plan) == 0
    assert snapshot_kills(80 * MIB, conf) == 0  # it is in its file
    cli.rollback()
    assert conf.read_bytes() == before
    assert snapshot_kills(80 * MIB, conf) >= 1
    proven(
        "runtimes",
        "runtime",
        "this-kernel",
        "Redis 7 in 80 MiB, BGSAVE under writes of 56 MiB of data: killed; with the planned maxmemory not; taken back: killed",
    )


# ---------------------------------------------------------------- malloc, and what cannot be run here
THREADS = """
import ctypes, threading, time
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype = ctypes.c_void_p
ready = threading.Barrier(17)
def work():
    held = [libc.malloc(1000) for _ in range(200)]
    ready.wait()
    time.sleep(30)
for _ in range(16):
    threading.Thread(target=work, daemon=True).start()
ready.wait()
print("ready", flush=True)
time.sleep(30)
"""


@more
def test_many_threads_have_fewer_arenas(tmp_path: Path) -> None:
    (tmp_path / "threads.py").write_text(THREADS, encoding="utf-8")
    argv = script(tmp_path / "start.sh", f"{sys.executable} {tmp_path}/threads.py")

    def arenas(pid: int) -> int | None:
        return ProcessView(Path("/proc"), pid).arenas(64 * MIB)

    with own_memcg(128 * MIB) as folder:
        with started(folder, argv) as process:
            until_ready(process)
            before = arenas(process.pid)
            Cli(tmp_path).plan("runtime", str(process.pid), "--as", "glibc", "--in", argv[0])
        Cli(tmp_path).apply()
        with started(folder, argv) as process:
            until_ready(process)
            after = arenas(process.pid)
    assert before is not None
    assert after is not None
    assert before >= 4
    assert after <= 1  # two with the first
    proven(
        "runtimes",
        "runtime",
        "this-kernel",
        f"glibc, 17 threads: {before} arenas beside the first, with MALLOC_ARENA_MAX=2 {after}",
    )


@more
@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("go", "Go: GOMEMLIMIT"),
        ("dotnet", ".NET: GCHeapHardLimitPercent"),
        ("mysqld", "MySQL: innodb_buffer_pool_size"),
    ],
)
def test_what_is_not_installed_is_said_in_the_table(program: str, what: str) -> None:
    if shutil.which(program) is not None:
        pytest.skip(f"{program} is there: write its proof")
    proven("runtimes", "runtime", "this-kernel", what, f"skipped: {program} is not installed; from its manual")
