"""`oomlens plan limit container`, `apply`, `rollback`, as a person types them; against an engine on a socket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oomlens.cli.main import main
from support.containers import MIB, fake_engine
from support.fake_engine import FakeEngine

LIMIT = 64 * MIB


@pytest.fixture
def docker() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        yield engine


def test_planned_applied_and_taken_back(docker: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    container = docker.run("web", memory=LIMIT, memsw=LIMIT)
    plan, where = tmp_path / "plan.json", ["--root", str(docker.root), "--state", str(tmp_path / "state")]
    asked = ["plan", "limit", "container", "web", "--memory", "256M", "--host", docker.host, "--root", str(docker.root)]
    assert main(["--lang", "ja", *asked, "--out", str(plan)]) == 0
    assert "web の上限をメモリ 256 MiB、スワップとの合計 256 MiB にする" in capsys.readouterr().out
    assert main(["--lang", "en", "apply", str(plan), "--yes", *where]) == 0
    assert "verified: everything reads back as planned" in capsys.readouterr().out
    assert container.k_memory == 256 * MIB
    assert main(["--lang", "en", "rollback", *where]) == 0
    assert "everything is as it was" in capsys.readouterr().out
    assert container.k_memory == LIMIT


def test_json_has_the_sizes_and_the_shell(docker: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    docker.run("web", memory=LIMIT, memsw=LIMIT, running=False, oom_killed=True, exit_code=137)
    asked = ["plan", "limit", "container", "web", "--host", docker.host, "--root", str(docker.root)]
    assert main(["--lang", "en", *asked, "--format", "json"]) == 0
    (plan,) = json.loads(capsys.readouterr().out)["plans"]
    assert plan["remedy"] == "raise-container-limit"
    assert plan["watch"]["containers"] == [docker.find("web").id, "web"]
    sizes = {term["name"]: term["value"] for term in plan["arithmetic"]}
    assert sizes["memory"] == 176 * MIB
    (step,) = (step for step in plan["steps"] if step["action"] == "container-update")
    assert step["commands"] == [f"sudo docker --host {docker.host} update --memory 176M --memory-swap 176M web"]


def test_a_refusal_is_an_error_with_something_to_type(docker: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["plan", "limit", "container", "web", "--host", f"{docker.host}x", "--root", str(docker.root)]
    assert main(["--lang", "en", *asked]) == 1
    out, errors = capsys.readouterr()
    assert out == ""
    assert "no-socket" in errors
    assert "sudo docker update --memory" in errors


@pytest.mark.parametrize("wrong", [["--memory", "banana"], ["--memory", "-1"], ["--pids", "0"], ["--memory-swap", "0"]])
def test_sizes_that_are_none_are_usage_errors(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", "limit", "container", "web", *wrong])
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_help_does_not_wait_for_the_engines_client() -> None:
    program = "import sys, oomlens.cli.main, oomlens.cli.planning, oomlens.apply.engine; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"docker", "requests", "urllib3", "yaml"} & set(done.stdout.split())
