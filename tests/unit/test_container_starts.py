"""Variables of a container are set in what creates it anew: found by its labels, through the real client of an engine."""

from __future__ import annotations

import pytest

from oomlens.host.read import container_starts
from oomlens.host.read.limit_container_facts import Asked, read_facts
from oomlens.host.read.reader import Reader
from oomlens.model.plan import Refusal, Safety, Step
from oomlens.plan.containers.facts import Facts
from oomlens.plan.start.place import Setting, steps_for
from support.containers import fake_engine
from support.fake_engine import FakeEngine
from support.fake_machine import write

SETTING = Setting("GOMEMLIMIT=57MiB", "GOMEMLIMIT", lambda _old: "57MiB")
COMPOSE = """services:
  db: {image: db:1}
  web:
    image: web:1  # ours
    environment:
      A: b
"""
LABELS = {
    "com.docker.compose.project": "app",
    "com.docker.compose.service": "web",
    "com.docker.compose.project.working_dir": "/srv/app",
    "com.docker.compose.project.config_files": "/srv/app/compose.yaml,/srv/app/more.yaml",
}


def steps(engine: FakeEngine, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Step, ...]:
    """The fake machine is no live one: its engine is asked where it listens."""

    def asked(wanted: Asked, reader: Reader) -> Facts:
        return read_facts(wanted._replace(host=engine.host), reader)

    monkeypatch.setattr(container_starts, "read_facts", asked)
    start = container_starts.container_start(Reader(engine.root), name, SETTING)
    made = steps_for(start, SETTING, "runtime", name)
    assert not isinstance(made, Refusal)
    return made


def test_a_compose_file_gets_the_variable_and_the_person_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine() as engine:
        engine.run("app-web-1", labels=LABELS)
        write(engine.root / "srv/app/compose.yaml", COMPOSE)
        write(engine.root / "srv/app/more.yaml", "services:\n  web:\n    environment:\n    - GOMEMLIMIT=1GiB\n")
        edit, again = steps(engine, "app-web-1", monkeypatch)
    assert edit.target == "/srv/app/more.yaml"  # the last file that sets it
    assert [line for line in edit.diff if line[:1] in "+-"][2:] == ["-    - GOMEMLIMIT=1GiB", "+    - GOMEMLIMIT=57MiB"]
    assert again.safety is Safety.MANUAL
    assert list(again.parameters["commands"]) == [
        "docker compose -f /srv/app/compose.yaml -f /srv/app/more.yaml up -d web"
    ]


def test_where_no_file_sets_it_the_first_of_the_service_does(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine() as engine:
        engine.run("app-web-1", labels=LABELS)
        write(engine.root / "srv/app/compose.yaml", COMPOSE)
        edit, _ = steps(engine, "app-web-1", monkeypatch)
    assert edit.target == "/srv/app/compose.yaml"
    assert [line for line in edit.diff if line[:1] in "+-"][2:] == ["+      GOMEMLIMIT: 57MiB"]


def test_a_quadlet_gets_a_line_of_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine("podman-4.3") as engine:
        engine.run("web", labels={"PODMAN_SYSTEMD_UNIT": "web.service"})
        write(
            engine.root / "etc/containers/systemd/web.container",
            "[Container]\nImage=web:1\n\n[Service]\nRestart=always\n",
        )
        (edit,) = steps(engine, "web", monkeypatch)
    assert edit.target == "/etc/containers/systemd/web.container"
    assert [line for line in edit.diff if line[:1] in "+-"][2:] == ["+Environment=GOMEMLIMIT=57MiB"]
    assert " [Service]" in edit.diff  # it stands before that


def test_a_container_that_nothing_creates_anew_is_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine() as engine:
        engine.run("lone")
        (hand,) = steps(engine, "lone", monkeypatch)
    assert list(hand.parameters["commands"]) == [
        "# recreate the container lone with",
        "docker run -e GOMEMLIMIT=57MiB …",
    ]
