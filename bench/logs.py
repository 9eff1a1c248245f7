"""Makes big, deterministic syslogs that hold OOM reports, for the benchmark: background lines, traps, a real report every 5 MB."""

from __future__ import annotations

import random
from pathlib import Path

from oomlens.decode.unwrap import records

CASES = Path(__file__).parent.parent / "tests" / "corpus" / "cases"
# Real reports of several generations; pids are replaced so that each copy is an incident of its own.
REPORTS = (
    "cad-badsysprogram-313",
    "el6-spooler-late",
    "ml-memcg1-leaker-caller-530",
    "lab-global-leak-6.1-arm64",
    "lab-memcg2-oom-group-7.3",
    "oa-rhel7-mysqld-310",
    "lab-kill-allocating-task-7.3",
)


def report_texts(name: str) -> list[bytes]:
    """The kernel's lines of a case, without stamps."""
    log = (CASES / f"{name}.case").read_bytes().partition(b"\n\n")[2]
    found = [record.text for record in records(log) if record.ident in (None, "kernel")]
    return [text.encode() for block in found for text in block.split("\n")]


def background(rng: random.Random, count: int) -> list[bytes]:
    """Ordinary lines, some of which naive searches trip over."""
    kinds = (
        lambda n: (
            b'nginx[801]: 10.2.%d.%d - - "GET /api/v1/items?id=%d HTTP/1.1" 200 5120 "-" "curl/8.14" rt=0.%03d'
            % (n % 250, n % 199, n, n % 1000)
        ),
        lambda n: (
            b"sshd[%d]: Accepted publickey for deploy from 10.1.2.%d port %d ssh2"
            % (1000 + n % 30000, n % 250, 1024 + n % 60000)
        ),
        lambda n: b"myapp[2003]: INFO queue.worker lease=%d took %dms trace=%016x" % (n, n % 4000, n * 2654435761),
        lambda n: (
            b"postgres[3001]: [%d-1] git@orders LOG:  duration: %d.%03d ms  statement: SELECT id FROM orders WHERE customer_id = %d"
            % (n, n % 999, n % 1000, n)
        ),
        lambda n: (
            b"kernel: [%12.6f] docker0: port %d(veth%07x) entered blocking state" % (n / 7, n % 16, n & 0xFFFFFFF)
        ),
        lambda n: b"systemd[1]: Started nginx.service - job %d." % n,
        lambda n: b"myapp[2004]: INFO chatroom zoom level=%d room=conf-%d" % (n % 32, n),
    )
    return [rng.choice(kinds)(rng.randrange(1 << 28)) for _ in range(count)]


def make(path: Path, size_bytes: int, *, every_bytes: int = 5 << 20, seed: int = 1) -> int:
    """Writes the log; returns the number of reports in it. The same arguments give the same bytes."""
    rng = random.Random(seed)  # noqa: S311 - a benchmark's data
    pool = background(rng, 60_000)
    texts = [report_texts(name) for name in REPORTS if (CASES / f"{name}.case").exists()]
    written = reports = 0
    due = every_bytes // 2
    second = 0
    with path.open("wb", buffering=1 << 20) as file:
        while written < size_bytes:
            second += 1
            head = b"Feb %2d %02d:%02d:%02d web-01 " % (
                1 + second // 86400 % 28,
                second // 3600 % 24,
                second // 60 % 60,
                second % 60,
            )
            start = rng.randrange(len(pool) - 200)
            block = b"".join(head + line + b"\n" for line in pool[start : start + 200])
            if written >= due:
                reports += 1
                due += every_bytes
                lines = texts[reports % len(texts)]
                block += b"".join(
                    head + b"kernel: [%12.6f] %b\n" % (second + index / 1e5, line) for index, line in enumerate(lines)
                )
            file.write(block)
            written += len(block)
    return reports


def one_after_another(path: Path, count: int) -> None:
    """`count` reports with nothing between them."""
    texts = [report_texts(name) for name in REPORTS if (CASES / f"{name}.case").exists()]
    with path.open("wb", buffering=1 << 20) as file:
        for number in range(count):
            for index, line in enumerate(texts[number % len(texts)]):
                file.write(b"[%12.6f] %b\n" % (number * 600 + index / 1e5, line))
