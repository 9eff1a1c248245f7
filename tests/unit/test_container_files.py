"""What creates a container anew is changed in one place and nowhere else; what cannot be is shown to a person with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from oomlens.model.plan import Plan, Refusal
from support.containers import MIB, fake_engine, plan_for, propose, words
from support.fake_engine import FakeEngine
from support.plans import apply_and_roll_back, run_shell, shell_of, tree_bytes
from support.proof import proven

LIMIT = 64 * MIB
COMPOSE = "/srv/app/compose.yaml"
LABELS = {
    "com.docker.compose.project": "app",
    "com.docker.compose.service": "web",
    "com.docker.compose.version": "2.20.2",
    "com.docker.compose.project.working_dir": "/srv/app",
    "com.docker.compose.project.config_files": COMPOSE,
}
UNIT = {"PODMAN_SYSTEMD_UNIT": "web.service"}


@pytest.fixture
def docker() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        yield engine


@pytest.fixture
def podman() -> Iterator[FakeEngine]:
    with fake_engine("podman-4.3") as engine:
        yield engine


def write(engine: FakeEngine, files: dict[str, str | bytes]) -> None:
    for path, content in files.items():
        place = engine.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())


def web(engine: FakeEngine, labels: dict[str, str], memsw: int = LIMIT) -> None:
    engine.run("web-1" if labels.get("com.docker.compose.service") else "web", memory=LIMIT, memsw=memsw, labels=labels)


def changed(plan: Plan) -> list[str]:
    """Lines of the diffs, without their heads."""
    return [
        line
        for step in plan.steps
        for line in step.diff[2:]
        if line[:1] in "+-" and not line.startswith(("+++", "---"))
    ]


def by_hand(plan: Plan) -> list[str]:
    return [line for step in plan.steps if step.action == "by-hand" for line in step.parameters["commands"]]


# Compose: (file, swap limit of the container, the lines that change)

EDITED = {
    "both limits": (
        '# the app\nservices:\n  web:\n    image: "web:1"  # ours\n    mem_limit: 64m   # small\n    memswap_limit: 64m\n  db: {mem_limit: 1g}\n',
        LIMIT,
        ["-    mem_limit: 64m   # small", "-    memswap_limit: 64m", "+    mem_limit: 256m   # small", "+    memswap_limit: 256m"],
    ),
    "the engine's own swap": ("services:\n  web:\n    mem_limit: 64m\n", 2 * LIMIT, ["-    mem_limit: 64m", "+    mem_limit: 256m"]),
    "deploy": (
        "services:\n    web:\n        deploy:\n            resources:\n                limits:\n                    cpus: '0.5'\n                    memory: 64M\n",
        2 * LIMIT,
        ["-                    memory: 64M", "+                    memory: 256M"],
    ),
    "deploy on one line": (
        "services: {web: {deploy: {resources: {limits: {memory: '64M'}}}}}\n",
        2 * LIMIT,
        [
            "-services: {web: {deploy: {resources: {limits: {memory: '64M'}}}}}",
            "+services: {web: {deploy: {resources: {limits: {memory: '256M'}}}}}",
        ],
    ),
    "deploy with other limits": (
        "services:\n  web:\n    deploy:\n      resources:\n        limits:\n          cpus: '1'\n",
        2 * LIMIT,
        ["+          memory: 256m"],
    ),
    "nothing yet": ("services:\n  web:\n    image: web\n\n  db:\n    image: db\n", 2 * LIMIT, ["+    mem_limit: 256m"]),
    "bytes": ("services:\n  web:\n    mem_limit: 67108864\n", 2 * LIMIT, ["-    mem_limit: 67108864", "+    mem_limit: 268435456"]),
    "other units": ("services:\n  web:\n    mem_limit: 64MiB\n", 2 * LIMIT, ["-    mem_limit: 64MiB", "+    mem_limit: 256MiB"]),
    "words of units": ("services:\n  web:\n    mem_limit: 64mb\n", 2 * LIMIT, ["-    mem_limit: 64mb", "+    mem_limit: 256mb"]),
    "swap without a limit": (
        "services:\n  web:\n    mem_limit: 64m\n    memswap_limit: -1\n",
        -1,
        ["-    mem_limit: 64m", "+    mem_limit: 256m"],
    ),
    "merged in": (
        "x-base: &base\n  mem_limit: 64m\nservices:\n  web:\n    <<: *base\n    image: web\n  db:\n    <<: *base\n",
        2 * LIMIT,
        ["+    mem_limit: 256m"],
    ),
    "windows and accents": (
        "services:\r\n  web:\r\n    image: café # ☕\r\n    mem_limit: 64m\r\n",
        2 * LIMIT,
        ["-    mem_limit: 64m\r", "+    mem_limit: 256m\r"],  # the carriage return is of the line
    ),
    "no line at the end": ("services:\n  web:\n    image: web", 2 * LIMIT, ["+    mem_limit: 256m"]),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITED)
def test_a_compose_file_changes_only_where_it_says_the_limit(docker: FakeEngine, name: str, tmp_path: Path) -> None:
    text, memsw, lines = EDITED[name]
    write(docker, {COMPOSE: text})
    (docker.root / "srv/app/compose.yaml").chmod(0o640)
    web(docker, LABELS, memsw)
    plan = plan_for(docker, "web-1", "--memory", "256M")
    # A line without an end is shown as gone and come again.
    assert [line for line in changed(plan) if line not in ("-    image: web", "+    image: web")] == lines
    before = yaml.safe_load(text)
    apply_and_roll_back(plan, docker.root, tmp_path / "state")
    run_shell(shell_of(plan, str(docker.root)))
    after = yaml.safe_load((docker.root / "srv/app/compose.yaml").read_bytes())
    assert after["services"].pop("web") != before["services"].pop("web")
    assert after == before
    proven(
        "containers",
        "limit container",
        "fake-root",
        f"Compose file, {name}: one place changes, by apply and by the shown shell",
    )


def test_the_file_makes_what_the_container_was_given(docker: FakeEngine, tmp_path: Path) -> None:
    """Memory and swap of a container that Compose makes anew are those of the plan."""
    write(docker, {COMPOSE: "services:\n  web:\n    image: web\n"})
    web(docker, LABELS, 96 * MIB)
    plan = plan_for(docker, "web", "--memory", "256M", "--pids", "99")  # by the name of the service
    assert changed(plan) == ["+    mem_limit: 256m", "+    memswap_limit: 288m", "+    pids_limit: 99"]
    apply_and_roll_back(plan, docker.root, tmp_path / "state")


def test_the_last_file_that_says_it_counts(docker: FakeEngine) -> None:
    over = "/srv/app/compose.override.yaml"
    base = "services:\n  web:\n    image: web\n    mem_limit: 32m\n"
    labels = {**LABELS, "com.docker.compose.project.config_files": f"{COMPOSE},compose.override.yaml"}
    write(docker, {COMPOSE: base, over: "services:\n  web:\n    mem_limit: 64m\n"})
    web(docker, labels, 2 * LIMIT)
    plan = plan_for(docker, "web-1", "--memory", "256M")
    assert [step.target for step in plan.steps] == [over, "web-1"]
    write(docker, {over: "services:\n  web:\n    environment: {A: b}\n"})
    plan = plan_for(docker, "web-1", "--memory", "256M")
    assert [step.target for step in plan.steps] == [COMPOSE, "web-1"]
    assert "says 32 MiB, the container had 64 MiB" in words(plan)


SHOWN = {
    "a variable": ("services:\n  web:\n    mem_limit: ${MEM:-64m}\n", "takes the limit from a variable, ${MEM:-64m}"),
    "an alias": ("x: &l 64m\nservices:\n  web:\n    mem_limit: *l\n", "is an alias"),
    "an anchor": ("services:\n  web:\n    mem_limit: &l 64m\n  db:\n    mem_limit: *l\n", "shared with other places by an anchor"),
    "a merged deploy": (
        "x: &b\n  deploy: {resources: {limits: {memory: 64M}}}\nservices:\n  web:\n    <<: *b\n", "is merged in from another place",
    ),
    "extends": ("services:\n  web:\n    extends: {file: base.yaml, service: web}\n", "extends another"),
    "include": ("include: [other.yaml]\nservices:\n  db:\n    image: db\n", "may be included from another file"),
    "a template": ("services:\n  web:\n    image: {{ image }}\n", "is a template"),
    "not YAML": ("services: [\n", "cannot be understood"),
    "two documents": ("services: {web: {}}\n---\nservices: {web: {}}\n", "is not one YAML document"),
    "two ways": (
        "services:\n  web:\n    mem_limit: 64m\n    deploy: {resources: {limits: {memory: 64M}}}\n",
        "in two ways, mem_limit and deploy",
    ),
    "twice": ("services:\n  web:\n    mem_limit: 64m\n    mem_limit: 64m\n", "stands there twice"),
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_what_cannot_be_changed_in_place_is_shown_with_the_reason(docker: FakeEngine, name: str) -> None:
    text, reason = SHOWN[name]
    write(docker, {COMPOSE: text})
    web(docker, LABELS)
    plan = plan_for(docker, "web-1", "--memory", "256M")
    assert [step.action for step in plan.steps] == ["by-hand", "container-update"]
    assert reason in words(plan)
    assert by_hand(plan)[0] == f"# {COMPOSE}: services: web:"
    assert "#   mem_limit: 256m" in by_hand(plan)


def test_an_old_compose_is_known_for_what_it_ignores(docker: FakeEngine) -> None:
    write(docker, {COMPOSE: "version: '3.7'\nservices:\n  web:\n    image: web\n"})
    web(docker, {**LABELS, "com.docker.compose.version": "1.29.2"})
    plan = plan_for(docker, "web-1", "--memory", "256M")
    assert "ignores deploy without --compatibility" in words(plan)


def test_a_compose_file_that_is_not_here_is_named(docker: FakeEngine) -> None:
    web(docker, LABELS)
    plan = plan_for(docker, "web-1", "--memory", "256M")
    assert f"{COMPOSE} cannot be read here" in words(plan)


def test_other_containers_of_the_service_are_named(docker: FakeEngine) -> None:
    write(docker, {COMPOSE: "services:\n  web:\n    mem_limit: 64m\n"})
    web(docker, LABELS)
    docker.run("web-2", labels=LABELS)
    assert "until they are created anew: web-2" in words(plan_for(docker, "web-1", "--memory", "256M"))
    refused = propose(docker, "web", "--memory", "256M")  # which of the two?
    assert isinstance(refused, Refusal)
    assert refused.hint is not None
    assert refused.hint.values == {"known": "web-1, web-2"}


def test_a_file_alone_is_planned_where_no_engine_can_be_asked(docker: FakeEngine, tmp_path: Path) -> None:
    write(docker, {COMPOSE: "services:\n  web:\n    mem_limit: 64m\n"})
    plan = propose(docker, "web", "--memory", "256M", "--compose", COMPOSE, host=False)
    assert isinstance(plan, Plan)
    assert changed(plan) == ["-    mem_limit: 64m", "+    mem_limit: 256m"]
    assert "could not be looked at" in words(plan)
    apply_and_roll_back(plan, docker.root, tmp_path / "state")
    nothing = propose(docker, "web", "--memory", "256M", host=False)
    assert isinstance(nothing, Refusal)
    assert nothing.code == "other-tree"


# Quadlets and units

QUADLET = "/etc/containers/systemd/web.container"
QUADLETS = {
    "its own key": (
        "[Container]\nImage=web:1\nMemory=64m\n\n# when\n[Install]\nWantedBy=default.target\n",
        2 * LIMIT,
        ["-Memory=64m", "+Memory=256m"],
    ),
    "swap besides": (
        "[Container]\nMemory=64m\n\n[Install]\nWantedBy=x\n",
        LIMIT,
        ["-Memory=64m", "+Memory=256m", "+PodmanArgs=--memory-swap=256m"],
    ),
    "arguments": (
        "[Container]\nPodmanArgs=--cpus 2 -m 64m \\\n   --memory-swap=64m\n",
        LIMIT,
        ["-PodmanArgs=--cpus 2 -m 64m \\", "-   --memory-swap=64m", "+PodmanArgs=--cpus 2 -m 256m \\", "+   --memory-swap=256m"],
    ),
    "nothing yet": (
        "[Unit]\nDescription=[Container]\n[Container]\nImage=web:1\n# the end\n\n[Service]\nRestart=always\n",
        2 * LIMIT,
        ["+PodmanArgs=--memory=256m"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUADLETS)
def test_a_quadlet_changes_only_where_it_says_the_limit(podman: FakeEngine, name: str, tmp_path: Path) -> None:
    """New limits are `PodmanArgs=`: a quadlet that does not know `Memory=` refuses the whole file."""
    text, memsw, lines = QUADLETS[name]
    write(podman, {QUADLET: text})
    web(podman, UNIT, memsw)
    plan = plan_for(podman, "web", "--memory", "256M")
    assert changed(plan) == lines
    apply_and_roll_back(plan, podman.root, tmp_path / "state")
    run_shell(shell_of(plan, str(podman.root)))
    if name == "nothing yet":
        lines_now = (podman.root / QUADLET[1:]).read_text(encoding="ascii").splitlines()
        assert lines_now[2:5] == ["[Container]", "Image=web:1", "PodmanArgs=--memory=256m"]
    proven(
        "containers",
        "limit container",
        "fake-root",
        f"quadlet, {name}: one place changes, by apply and by the shown shell",
    )


def test_a_drop_in_that_says_it_counts(podman: FakeEngine) -> None:
    drop_in = f"{QUADLET}.d/10-memory.conf"
    write(podman, {QUADLET: "[Container]\nMemory=32m\n", drop_in: "[Container]\nMemory=64m\n"})
    web(podman, UNIT, 2 * LIMIT)
    assert [step.target for step in plan_for(podman, "web", "--memory", "256M").steps] == [drop_in, "web"]


UNITS = {
    "a flag among lines": (
        '[Service]\nExecStart=/usr/bin/docker run --rm --name web \\\n  -m 64m -e J="-m 1" \\\n  oomtest:1 java -m mod\nRestart=always\n',
        ['-  -m 64m -e J="-m 1" \\', '+  -m 256m -e J="-m 1" \\'],
    ),
    "no flag": (
        "[Service]\nExecStart=-/usr/bin/docker run --name=web oomtest:1 -m 5\n",
        [
            "-ExecStart=-/usr/bin/docker run --name=web oomtest:1 -m 5",
            "+ExecStart=-/usr/bin/docker run --memory=256m --name=web oomtest:1 -m 5",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_that_runs_it_changes_only_the_engines_options(docker: FakeEngine, name: str, tmp_path: Path) -> None:
    text, lines = UNITS[name]
    path = "/etc/systemd/system/app.service"
    write(
        docker,
        {path: text, "/etc/systemd/system/b.service": "[Service]\nExecStart=/usr/bin/docker run --name web2 i\n"},
    )
    web(docker, {}, 2 * LIMIT)
    plan = plan_for(docker, "web", "--memory", "256M")
    assert changed(plan) == lines
    assert "created anew when app.service is restarted" in words(plan)
    apply_and_roll_back(plan, docker.root, tmp_path / "state")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("/usr/bin/docker run --name web -itm 64m oomtest:1", "joined short options"),
        ("/usr/bin/docker run --name web -m ${MEM} oomtest:1", "from a variable"),
        ("/usr/bin/docker run --name web -m %i oomtest:1", "from a variable or a specifier"),
        ("/usr/bin/docker run --name web other:2", "cannot be understood"),
    ],
)
def test_a_unit_that_cannot_be_changed_is_shown(docker: FakeEngine, line: str, reason: str) -> None:
    write(docker, {"/etc/systemd/system/app.service": f"[Service]\nExecStart={line}\n"})
    web(docker, {})
    plan = plan_for(docker, "web", "--memory", "256M")
    assert reason in words(plan)
    assert by_hand(plan) == ["# /etc/systemd/system/app.service: ExecStart= … run --memory=256m --memory-swap=256m …"]


def test_a_packages_file_is_not_changed(podman: FakeEngine) -> None:
    write(podman, {"/usr/share/containers/systemd/web.container": "[Container]\nImage=web\n"})
    web(podman, UNIT)
    plan = plan_for(podman, "web", "--memory", "256M")
    assert "belongs to a package" in words(plan)
    assert plan.steps[0].action == "by-hand"


def test_another_engines_unit_is_not_taken_for_its_own(docker: FakeEngine) -> None:
    write(
        docker, {"/etc/systemd/system/app.service": "[Service]\nExecStart=/usr/bin/podman run --name web oomtest:1\n"}
    )
    web(docker, {})
    plan = plan_for(docker, "web", "--memory", "256M")
    assert by_hand(plan) == ["# docker run --memory=256m --memory-swap=256m … --name web … oomtest:1"]


def test_hostile_names_stay_within_their_quotes(docker: FakeEngine) -> None:
    docker.run("web", memory=LIMIT, memsw=LIMIT, image="x; rm -rf /")
    plan = plan_for(docker, "web", "--memory", "256M")
    assert by_hand(plan)[0].endswith("'x; rm -rf /'")
    labels = {**LABELS, "com.docker.compose.project.config_files": "/etc/../../../etc/passwd"}
    docker.run("up", memory=LIMIT, memsw=LIMIT, labels=labels)
    before = tree_bytes(docker.root)
    plan = plan_for(docker, "up", "--memory", "256M")
    assert not any(step.action == "edit-file" for step in plan.steps)
    assert tree_bytes(docker.root) == before
