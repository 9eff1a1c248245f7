"""`oomlens plan limit kubernetes` as a person types it, from plan to rollback, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oomlens.cli.main import main
from support.cluster import CLIENT, running
from support.manifests import DEPLOYMENT, tree

KIND = ("plan", "limit", "kubernetes")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(list(arguments))
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_planned_applied_and_taken_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"k.yaml": DEPLOYMENT})
    plan = str(tmp_path / "plan.json")
    code, out, _ = run(capsys, *KIND, "k.yaml", "--root", str(root), "--out", plan)
    assert code == 0
    assert "+              memory: 640Mi   # what it may" in out
    code, out, _ = run(capsys, "apply", plan, "--yes", "--root", str(root))
    assert code == 0
    assert b"memory: 640Mi" in (root / "k.yaml").read_bytes()
    code, out, _ = run(capsys, "rollback", "--root", str(root))
    assert code == 0
    assert (root / "k.yaml").read_text(encoding="utf-8") == DEPLOYMENT


def test_on_a_cluster(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plan, state = str(tmp_path / "plan.json"), ("--state", str(tmp_path / "state"))
    with running(tmp_path / "k") as cluster:
        live = (*KIND, "--live", "--kubeconfig", str(cluster.kubeconfig), "-w", "deploy/web", "-c", "app")
        code, out, err = run(capsys, *live)
        assert (code, out) == (1, "")
        assert f"--take-over {CLIENT}" in err
        code, out, err = run(capsys, *live, "--take-over", CLIENT, "--out", plan)
        assert code == 0
        (found,) = json.loads(Path(plan).read_bytes())["plans"]
        code, out, err = run(capsys, "apply", plan, "--yes", *state, "--allow", found["steps"][2]["id"])
        assert code == 0
        assert "verified" in out
        assert cluster.memory() == ("640Mi", "256Mi")
        assert run(capsys, "rollback", *state)[0] == 0
        assert cluster.memory() == ("512Mi", "256Mi")


def test_refusals_are_on_stderr_and_in_the_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"k.yaml": DEPLOYMENT})
    code, out, err = run(capsys, *KIND, "k.yaml", "--limit", "2GB", "--root", str(root), "--lang", "ja")
    assert (code, out) == (1, "")
    assert "2Gi" in err
    assert "kubernetes" in err
    code, out, _ = run(capsys, *KIND, "k.yaml", "--limit", "2GB", "--root", str(root), "--format", "json")
    assert json.loads(out)["refused"][0]["code"] == "bad-quantity"
    code, _, err = run(capsys, *KIND, "k.yaml", "--node-memory", "16GB", "--root", str(root))
    assert code == 2
    assert "16Gi" in err


def test_hostile_names_reach_no_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    content = DEPLOYMENT.replace("name: app", 'name: "app\\e[2J\\u202e"')
    root = tree(tmp_path / "root", {"k.yaml": content})
    _, out, err = run(capsys, *KIND, "k.yaml", "--root", str(root))
    assert "\x1b" not in out + err
    assert "\u202e" not in out + err
