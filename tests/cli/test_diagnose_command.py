"""`oomlens diagnose` as a person types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from oomlens.cli.main import main
from support.cases import all_cases

LOGS = {case.name: case.log for case in all_cases()}
# A name of 15 bytes, as long as the kernel keeps them.
EVIL = "<img src=x>&\"'"
KILLS = "".join(
    f"2026-11-2{day}T03:10:0{day}+00:00 web1.example.org kernel: [{day}000.500000] Memory cgroup out of memory: Killed process {day}11 (gunicorn)"
    f" total-vm:1310720kB, anon-rss:104{day}000kB, file-rss:0kB, shmem-rss:0kB, UID:998 pgtables:2480kB oom_score_adj:0\n"
    for day in (1, 2, 3)
)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["--lang", "en", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "kern.log"
    path.write_bytes(LOGS["oa-rhel7-mysqld-310"])
    return path


def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "evil.log"
    path.write_bytes(LOGS["lab-global-leak-6.1-arm64"].replace(b"leaky-app", EVIL.encode()))
    return path


def test_the_json_holds_the_contract(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "diagnose", str(log), "--format", "json")
    document = json.loads(out)
    assert code == 0
    assert document["report"]["victims"][0]["comm"] == "mysqld"
    finding = document["findings"][0]
    assert {"rule", "code", "verdict", "confidence", "title", "explanation", "evidence", "remedies"} <= finding.keys()
    assert (finding["verdict"], finding["rule"]) == ("found", "oversized-process")
    assert {"name", "value", "unit", "comparison", "line"} == finding["evidence"][0].keys()
    order = [one["verdict"] for one in document["findings"]]
    assert order == sorted(order, key=["found", "ruled_out", "undecided"].index)
    assert document["plan"][0]["commands"]


def test_json_is_never_translated(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    english = run(capsys, "diagnose", str(log), "--format", "json")[1]
    main(["--lang", "ja", "diagnose", str(log), "--format", "json"])
    assert capsys.readouterr().out == english


def test_the_latest_incident_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kern.log"
    path.write_text(KILLS)
    code, out, _ = run(capsys, "diagnose", str(path))
    assert code == 0
    assert "gunicorn[311]" in out.splitlines()[0]
    assert "3 x" in out
    assert "repeat-offender" in out


def test_an_incident_is_named_by_the_begin_of_its_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kern.log"
    path.write_text(KILLS)
    _, out, _ = run(capsys, "scan", str(path), "--format", "jsonl")
    first = json.loads(out.splitlines()[0])
    assert "gunicorn[111]" in run(capsys, "diagnose", str(path), "--incident", first["id"][:8])[1]
    code, out, err = run(capsys, "diagnose", str(path), "--incident", "zzz")
    assert (code, out) == (1, "")
    assert "oomlens scan" in err


def test_a_pipe_is_read() -> None:
    command = [sys.executable, "-m", "oomlens", "--lang", "en", "diagnose", "-"]
    done = subprocess.run(command, input=KILLS, capture_output=True, text=True, check=True)
    assert "gunicorn[311]" in done.stdout


def test_a_log_without_a_kill_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kern.log"
    path.write_text("nothing here\n")
    code, out, err = run(capsys, "diagnose", str(path))
    assert (code, out) == (0, "")
    assert "no out-of-memory kill" in err


def test_exit_code_10_where_an_incident_was_found(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "diagnose", str(log), "--exit-code")[0] == 10


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_redacted_output_names_nobody(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "secret.log"
    container = "5f0a" * 16
    path.write_text(
        KILLS
        + "2026-11-24T03:10:05+00:00 web1.example.org kernel: [9000.500000] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
        f"oom_memcg=/docker/{container},task_memcg=/docker/{container},task=app,pid=9,uid=1000\n"
        "2026-11-24T03:10:05+00:00 web1.example.org kernel: [9000.600000] Memory cgroup out of memory: Killed process 9 (app) total-vm:8kB, anon-rss:4kB,"
        " file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:4kB oom_score_adj:0\n"
    )
    _, out, _ = run(capsys, "diagnose", str(path), "--format", form, "--redact")
    assert "app" in out
    for secret in ("web1", "example.org", container, container[:12], "secret.log"):
        assert secret not in out


class Page(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")]


def test_the_page_loads_nothing_and_a_name_injects_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "diagnose", str(hostile(tmp_path)), "--format", "html")
    page = Page()
    page.feed(out)
    assert "img" not in page.tags
    assert page.tags.count("script") == 1
    assert [link for link in page.links if not link.startswith("#")] == []
    assert "default-src &#39;none&#39;" in out or "default-src 'none'" in out
    assert EVIL not in out


def test_evidence_links_to_its_line(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "diagnose", str(log), "--format", "html")
    wanted = {link for link in out.split('href="#')[1:] if link.startswith("L")}
    assert all(f'id="{link.split(chr(34))[0]}"' in out for link in wanted)
    assert "Total swap = 8388604kB" in out


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--virtual-time-budget=3000",
)  # fmt: skip


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_works_in_a_browser(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert CHROMIUM is not None
    _, out, _ = run(capsys, "diagnose", str(hostile(tmp_path)), "--format", "html")
    # A second script, allowed for the test alone, clicks and reports what it sees in the title.
    probe = (
        "const rss=[...document.querySelectorAll('#tasks button')][2];rss.click();const first=()=>document.querySelector('#tasks tbody tr').cells[7].textContent;"
        "const largest=first();rss.click();const smallest=first();const s=document.getElementById('search');s.value='img';s.dispatchEvent(new Event('input'));"
        "const shown=[...document.querySelectorAll('#tasks tbody tr')].filter(r=>!r.hidden).length;"
        "document.title=JSON.stringify({largest,smallest,shown,images:document.images.length,svg:document.querySelectorAll('svg[role=img]').length});"
    )
    page = tmp_path / "page.html"
    page.write_text(
        out.replace("script-src '", "script-src 'unsafe-inline' '")
        .replace("'unsafe-inline' 'sha256", "'unsafe-inline' 'x-sha256")
        .replace("</body>", f"<script>{probe}</script></body>")
    )
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    title = (
        done.stdout.split("<title>")[1]
        .split("</title>")[0]
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
    )
    seen = json.loads(title)
    assert seen["largest"] == EVIL
    assert seen["smallest"] != EVIL
    assert (seen["shown"], seen["images"]) == (1, 0)
    assert seen["svg"] >= 3
