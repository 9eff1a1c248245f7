"""Telling people of an event: webhook, program, desktop; each with its bounds, and none with a shell."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from oomlens.guard.people import desktop, telling, webhook
from oomlens.guard.people.telling import Ways
from oomlens.host.run import NOT_FOUND, TIMED_OUT, run_bounded
from oomlens.i18n import english, translator
from oomlens.model.guard_event import GuardEvent, event_of
from oomlens.render.guard_tell import notification
from support.guard_events import HOSTILE, decided, event, lines, sample, signalled, victim

MODULE = [sys.executable, "-m", "oomlens", "--lang", "en", "guard", "tell"]


def parsed(entry: dict[str, Any]) -> GuardEvent:
    found = event_of(entry)
    assert found is not None
    return found


def tell(*arguments: str, given: bytes = lines([decided()])) -> tuple[int, str]:
    done = subprocess.run([*MODULE, *arguments], input=given, capture_output=True, check=False)
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


class Answer(BaseHTTPRequestHandler):
    """Keeps what came; the first part of the path says how to answer."""

    came: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.came.append((self.path, dict(self.headers), body))
        code = int(self.path.split("/")[1])
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "file:///etc/passwd")
        if code == 307:
            self.send_header("Location", "/200/elsewhere")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - http.server's name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Answer.came.clear()
    with HTTPServer(("127.0.0.1", 0), Answer) as found:
        worker = threading.Thread(target=found.serve_forever, args=(0.01,))
        worker.start()
        yield f"127.0.0.1:{found.server_port}"
        found.shutdown()
        worker.join()


def test_a_webhook_gets_the_event(server: str, tmp_path: Path) -> None:
    secret = tmp_path / "address"
    secret.write_text(f"http://mika:pa%20ss@{server}/200/T0/secret?token=abc\n", encoding="ascii")
    assert tell("--webhook", f"@{secret}") == (0, "")
    ((path, headers, body),) = Answer.came
    assert path == "/200/T0/secret?token=abc"
    assert json.loads(body) == decided()
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Basic bWlrYTpwYSBzcw=="
    assert headers["Host"] == server


@pytest.mark.parametrize("code", [302, 307, 404, 500])
def test_what_a_webhook_answers_is_said_without_its_secrets(server: str, code: int) -> None:
    status, said = tell("--webhook", f"http://user:hunter2@{server}/{code}/SECRET?key=SECRET")
    assert status == 1
    assert said == f"oomlens: error: not everybody was told: http://{server}: it answered {code}\n"
    assert len(Answer.came) == 1  # nothing was followed


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://h/x", "gopher://h", "http://", "http:///x", "http://h:0/", "http://h:99999/", "h/x",
     "http://h/a b", "http://h/a\nHost: x", "http://[::1", "@/nowhere/SECRET", "javascript:SECRET"],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(webhook.AddressError) as error:
        webhook.address_of(address)
    assert str(error.value) in ("scheme", "address", "file")


def test_a_refused_address_is_not_on_the_screen() -> None:
    status, said = tell("--webhook", "gopher://SECRET/")
    assert (status, said) == (2, "oomlens: error: --webhook: only http:// and https:// addresses\n")


@contextmanager
def silent_server(drip: bytes = b"") -> Iterator[str]:
    """Accepts, and then says nothing, or one byte after another."""
    ended = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                while not ended.wait(0.02):
                    if drip:
                        connection.send(drip)

        worker = threading.Thread(target=serve)
        worker.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        ended.set()
        worker.join()


@pytest.mark.parametrize("drip", [b"", b"h"])
def test_a_server_that_never_ends_is_left(drip: bytes) -> None:
    with silent_server(drip) as address:
        start = time.monotonic()
        problem = webhook.post(address, b"{}", limit_seconds=0.3)
        assert time.monotonic() - start < 2
    assert problem is not None
    assert problem.startswith("http://127.0.0.1:")


def test_nobody_listens() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    assert webhook.post(f"http://127.0.0.1:{port}/SECRET", b"{}") == f"http://127.0.0.1:{port}: Connection refused"


def script(tmp_path: Path, body: str) -> str:
    place = tmp_path / "program"
    place.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    place.chmod(0o755)
    return str(place)


def test_a_program_gets_the_event_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = script(tmp_path, f'cat > {out}; printf "\\n%s" "$@" >> {out}; env >> {out}.env')
    entry = decided(victim=victim(comm=HOSTILE, cgroup="/a\nLD_PRELOAD=/x"))
    assert tell("--exec", program, "--webhook", "$(id); `id`", "-y", given=lines([entry])) == (0, "")
    first, *arguments = out.read_text(encoding="utf-8").split("\n")
    assert json.loads(first) == entry
    assert arguments == ["--webhook", "$(id); `id`", "-y"]
    told = dict(line.split("=", 1) for line in (tmp_path / "out.env").read_text(encoding="utf-8").splitlines())
    assert told["OOMLENS_EVENT"] == "decided"
    assert told["OOMLENS_VICTIM_PID"] == "1234"
    assert told["OOMLENS_VICTIM_COMM"] == "a\\x1b[2J\\n\\u202edaer <b>& $(x)\ufffd"
    assert told["OOMLENS_DRY_RUN"] == "0"
    assert told["OOMLENS_VICTIM_CGROUP"] == "/a\\nLD_PRELOAD=/x"
    assert "LD_PRELOAD" not in told


def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = script(tmp_path, f"trap '' TERM\nsleep 600 &\necho $! $$ > {pids}\necho wait >&2\nsleep 600")
    start = time.monotonic()
    status, said = tell("--limit", "0.5s", "--exec", program)
    assert time.monotonic() - start < 5
    assert (status, said) == (1, f"oomlens: error: not everybody was told: {program}: not ended after 0.5 s\n")
    for pid in map(int, pids.read_text(encoding="ascii").split()):
        gone_by = time.monotonic() + 2
        while _runs(pid) and time.monotonic() < gone_by:
            time.sleep(0.01)
        assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_a_program_leaves_behind_does_not_hold_us_up() -> None:
    """Its child keeps the pipe open; the program itself is done."""
    start = time.monotonic()
    done = run_bounded(["sh", "-c", "sleep 3 & exit 0"], environment=dict(os.environ), timeout_seconds=30)
    assert done.returncode == 0
    assert time.monotonic() - start < 2


def test_a_flood_of_complaints_is_bounded() -> None:
    flood = ["sh", "-c", "yes complaint | head -c 3000000 >&2; exit 3"]
    done = run_bounded(flood, given=b"x" * (1 << 20), environment=dict(os.environ), timeout_seconds=30)
    assert (done.returncode, len(done.stderr) <= 4096) == (3, True)
    endless = run_bounded(["sh", "-c", "yes >&2"], environment=dict(os.environ), timeout_seconds=0.3)
    assert endless.returncode == TIMED_OUT
    assert run_bounded(["/nowhere/x"], environment={}, timeout_seconds=1).returncode == NOT_FOUND
    assert run_bounded(["a\0b"], environment={}, timeout_seconds=1).returncode == NOT_FOUND
    killed = run_bounded(["sh", "-c", "kill -9 $$"], environment=dict(os.environ), timeout_seconds=5)
    assert killed.returncode == -signal.SIGKILL


def test_failures_are_one_line(tmp_path: Path) -> None:
    program = script(tmp_path, "printf 'bad \\033[2J thing\\nsecond line\\n' >&2; exit 7")
    status, said = tell("--exec", program)
    assert (status, said) == (
        1,
        f"oomlens: error: not everybody was told: {program}: exit code 7: bad \\x1b[2J thing\n",
    )
    assert tell("--exec", "/nowhere/x")[0] == 1
    assert tell()[0] == 2
    for given in (b"", b"{}", b"[" * 100_000, b"x" * (2 << 20)):
        assert tell("--exec", "true", given=given) == (1, "oomlens: error: stdin is not one event of the guard\n")


def test_people_are_those_at_the_machine_and_the_owner(tmp_path: Path) -> None:
    sessions = tmp_path / "run/systemd/sessions"
    sessions.mkdir(parents=True)
    own = os.getuid()
    (sessions / "1").write_text(f"UID={own}\nACTIVE=1\nCLASS=user\n", encoding="ascii")
    (sessions / "1.ref").write_bytes(b"")
    (sessions / "2").write_bytes(b"UID=\xff\nACTIVE=1\n")
    (sessions / "3").write_text("UID=4242424\nACTIVE=1\n", encoding="ascii")  # nobody has this number
    assert desktop.people(None, tmp_path) == []
    bus = tmp_path / f"run/user/{own}/bus"
    bus.parent.mkdir(parents=True)
    bus.symlink_to("/dev/null")
    assert desktop.people(own, tmp_path) == []  # no socket
    bus.unlink()
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        folder = os.open(bus.parent, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{folder}/bus")  # a path of its own may be too long for a socket's
        os.close(folder)
        assert stat.S_ISSOCK(bus.lstat().st_mode)
        assert [person.uid for person in desktop.people(None, tmp_path)] == [own]
        (sessions / "1").write_text(f"UID={own}\nACTIVE=0\nCLASS=user\n", encoding="ascii")
        assert desktop.people(None, tmp_path) == []
        assert [person.bus for person in desktop.people(own, tmp_path)] == [bus]
    assert desktop.people(2**40, tmp_path) == []


def test_a_notification_has_no_markup_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    told = notification(parsed(decided(victim=victim(comm="<b>x&"))), english)
    assert told.title == "Memory runs out: <b>x& is asked to end"
    assert told.body.splitlines()[0] == "<b>x&[1234]: 371 MiB in memory"
    monkeypatch.setattr(desktop, "find_program", lambda name: f"/usr/bin/{name}")
    arguments = desktop._arguments(told)
    assert arguments is not None
    assert arguments[0] == "/usr/bin/notify-send"
    assert arguments[-3:-1] == ["--", told.title]
    assert arguments[-1].startswith("&lt;b&gt;x&amp;[1234]: ")
    monkeypatch.setattr(desktop, "find_program", lambda name: f"/usr/bin/{name}" if name == "busctl" else None)
    arguments = desktop._arguments(told)
    assert arguments is not None
    assert arguments[:2] == ["/usr/bin/busctl", "--user"]
    monkeypatch.setattr(desktop, "find_program", lambda _name: None)
    assert desktop._arguments(told) is None


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_every_event_can_be_told(lang: str) -> None:
    kinds = ("started", "warned", "recovered", "decided", "signalled", "gone", "stuck", "kernel-killed", "failed", "?")
    for kind in kinds:
        entry = event(
            kind, victim=victim(comm=HOSTILE), candidates=[victim(comm=HOSTILE)], sample=sample(), signal="KILL"
        )
        told = notification(parsed(entry), translator(lang))
        assert "\x1b" not in told.title + told.body
        assert "\n" not in told.title
    warned = notification(parsed(event("warned", candidates=[victim()], sample=sample(seconds_left=20))), english)
    assert "the first to be ended would be leak[1234]" in warned.body
    assert "time left 20 s" in warned.body


@pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed")
@pytest.mark.skipif(
    shutil.which("busctl") is None or shutil.which("dbus-monitor") is None, reason="busctl, dbus-monitor"
)
def test_busctl_really_says_it_on_a_session_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A monitor sees the call as the specification wants it; nobody answers, which is one line."""
    bus = tmp_path / f"run/user/{os.getuid()}/bus"
    bus.parent.mkdir(parents=True)
    monkeypatch.setattr(desktop, "find_program", lambda name: shutil.which(name) if name == "busctl" else None)
    daemon = ["dbus-daemon", "--session", f"--address=unix:path={bus}", "--nofork", "--print-address=1"]
    with subprocess.Popen(daemon, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith(b"unix:path=")
        watch = ["dbus-monitor", "--address", f"unix:path={bus}", "member=Notify"]
        with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as monitor:
            assert monitor.stdout is not None
            while "NameLost" not in monitor.stdout.readline():
                pass
            (person,) = desktop.people(os.getuid(), tmp_path)
            problem = desktop.notify(person, notification(parsed(signalled(1.0, "KILL")), english))
            assert problem is not None
            assert problem.startswith(f"user {os.getuid()}: ")
            assert "\n" not in problem
            seen: list[str] = []
            while "int32 15000" not in (seen or [""])[-1]:
                seen.append(monitor.stdout.readline())
            monitor.terminate()
        server.terminate()
    text = "".join(seen)
    assert 'string "Memory ran out: leak is ended"' in text
    assert "byte 2" in text


def test_who_hangs_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """A desktop or a server that hangs costs its own limit, not the sum."""
    program = script(tmp_path, "sleep 600")
    with silent_server() as address:
        start = time.monotonic()
        ways = Ways(addresses=[address, address], command=[program], exec_seconds=0.5)
        problems = telling.tell(parsed(decided()), b"{}", ways._replace(addresses=[address]), english)
    assert len(problems) == 2
    assert time.monotonic() - start < webhook.LIMIT_SECONDS + 1
