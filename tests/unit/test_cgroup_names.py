from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.kernel.cgroup_names import names_of, unescape
from oomlens.kernel.cgroup_rows import ROWS
from oomlens.model.report import CgroupNames

ID = "b7a1c2d3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccddeeff"
OUTER = "d6701ec289c56e4391acb11d07474b3139466857a305490575508a8b7a9fcf22"
POD = "1b2c3d4e-5f60-4718-92a3-b4c5d6e7f809"
POD_ = "1b2c3d4e_5f60_4718_92a3_b4c5d6e7f809"
STATIC = "cf5061728394a5b6c7d8e9f001122334"
ALLOC = "5e3b1f2a-0c4d-4e8f-9a6b-7c8d9e0f1a2b"
TASK = "bf1ddbfbbc8f45c9b1ac4f779368741e"


def _said(path: str) -> dict[str, object]:
    """What is known beside the path, the unit and the slice."""
    return {
        key: value
        for key, value in asdict(names_of(path)).items()
        if value is not None and key not in ("path", "unit", "slice")
    }


def _pod(uid: str, qos: str, runtime: str | None, container: str | None = ID) -> dict[str, object]:
    said = {"runtime": runtime, "container_id": container, "pod_uid": uid, "qos_class": qos, "manager": "kubernetes"}
    return {key: value for key, value in said.items() if value is not None}


BURSTABLE = f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD_}.slice"
KUBELET = (
    f"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{POD_}.slice"
)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        # systemd driver: containerd, CRI-O, dockershim and cri-dockerd; Guaranteed has no level of its own.
        (f"/{BURSTABLE}/cri-containerd-{ID}.scope", _pod(POD, "Burstable", "containerd")),
        (f"/kubepods.slice/kubepods-pod{POD_}.slice/crio-{ID}.scope", _pod(POD, "Guaranteed", "cri-o")),
        (f"/{BURSTABLE}/crio-{ID}.scope/container", _pod(POD, "Burstable", "cri-o")),
        (f"/{BURSTABLE}/crio-conmon-{ID}.scope", _pod(POD, "Burstable", "cri-o")),
        (
            f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{POD_}.slice/docker-{ID}.scope",
            _pod(POD, "BestEffort", "docker"),
        ),
        # The pod's own limit was hit.
        (f"/kubepods.slice/kubepods-pod{POD_}.slice", _pod(POD, "Guaranteed", None, None)),
        # cgroupfs driver: the bare id is used by dockershim and containerd alike.
        (f"/kubepods/besteffort/pod{POD}/{ID}", _pod(POD, "BestEffort", None)),
        (f"/kubepods/burstable/pod{POD}/{ID}", _pod(POD, "Burstable", None)),
        (f"/kubepods/pod{POD}/{ID}", _pod(POD, "Guaranteed", None)),
        (f"/kubepods/burstable/pod{POD}/crio-{ID}", _pod(POD, "Burstable", "cri-o")),
        # kubelet with the systemd driver, containerd without SystemdCgroup.
        (
            f"/kubepods-besteffort-pod{POD_}.slice:cri-containerd:{ID}",
            _pod(POD, "BestEffort", "containerd"),
        ),
        (
            f"/system.slice/containerd.service/kubepods-burstable-pod{POD_}.slice:cri-containerd:{ID}",
            _pod(POD, "Burstable", "containerd"),
        ),
        (f"/kubepods-pod{STATIC}.slice:crio:{ID}", _pod(STATIC, "Guaranteed", "cri-o")),
        # Static pods: the uid is a hash of the manifest.
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{ID}.scope",
            _pod(STATIC, "Burstable", "containerd"),
        ),
        (f"/kubepods/besteffort/pod{STATIC}/{ID}", _pod(STATIC, "BestEffort", None)),
        # kind, minikube, k3d: a kubelet in a container; the node's container is not the pod's.
        (f"/docker/{OUTER}/kubelet/kubepods/besteffort/pod{POD}/{ID}", _pod(POD, "BestEffort", None)),
        (
            f"/system.slice/docker-{OUTER}.scope/{KUBELET}/cri-containerd-{ID}.scope",
            _pod(POD, "Burstable", "containerd"),
        ),
        (f"/docker/{OUTER}/{BURSTABLE}/crio-{ID}.scope", _pod(POD, "Burstable", "cri-o")),
        (f"/docker/{OUTER}/{BURSTABLE}", _pod(POD, "Burstable", None, None)),
        # k3s as a service with cgroupfs, rootless k3s, --cgroup-root.
        (f"/system.slice/k3s.service/kubepods/burstable/pod{POD}/{ID}", _pod(POD, "Burstable", None)),
        (f"/k3s/kubepods/pod{POD}/{ID}", _pod(POD, "Guaranteed", None)),
        (
            f"/user.slice/user-1000.slice/user@1000.service/k3s-rootless.service/kubepods/pod{POD}/{ID}",
            {**_pod(POD, "Guaranteed", None), "user_uid": 1000},
        ),
        (f"/pods/kubepods/burstable/pod{POD}/{ID}", _pod(POD, "Burstable", None)),
        (
            f"/pods.slice/pods-kubepods.slice/pods-kubepods-pod{POD_}.slice/cri-containerd-{ID}.scope",
            _pod(POD, "Guaranteed", "containerd"),
        ),
        # A Docker in a pod, and a pod in a pod.
        (f"/kubepods/burstable/pod{POD}/{OUTER}/docker/{ID}", _pod(POD, "Burstable", "docker")),
        (f"/kubepods/burstable/pod{STATIC}/{OUTER}/kubepods/pod{POD}/{ID}", _pod(POD, "Guaranteed", None)),
        # Node allocatable, and the limit of a QoS class.
        ("/kubepods.slice", {"manager": "kubernetes"}),
        ("/kubepods", {"manager": "kubernetes"}),
        ("/kubepods/burstable", {"qos_class": "Burstable", "manager": "kubernetes"}),
        ("/kubepods.slice/kubepods-besteffort.slice", {"qos_class": "BestEffort", "manager": "kubernetes"}),
        # Near misses.
        (f"/pod/pod{POD}", {}),
        ("/burstable/app", {}),
    ],
)
def test_kubernetes_layouts_name_pod_class_and_container(path: str, said: dict[str, object]) -> None:
    assert _said(path) == said


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (f"/docker/{ID}", {"runtime": "docker", "container_id": ID}),
        (f"/system.slice/docker-{ID}.scope", {"runtime": "docker", "container_id": ID, "manager": "systemd"}),
        (f"/web.slice/docker-{ID}.scope", {"runtime": "docker", "container_id": ID, "manager": "systemd"}),
        (f"/my-parent/{ID}", {"container_id": ID}),
        (f"/system.slice:docker:{ID}", {"runtime": "docker", "container_id": ID}),
        (
            f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope",
            {"user_uid": 1000, "runtime": "docker", "container_id": ID, "manager": "systemd"},
        ),
        (f"/docker/{OUTER}/docker/{ID}", {"runtime": "docker", "container_id": ID}),
        (
            f"/machine.slice/libpod-{ID}.scope/container",
            {"runtime": "podman", "container_id": ID, "manager": "systemd"},
        ),
        (f"/machine.slice/libpod-conmon-{ID}.scope", {"runtime": "podman", "container_id": ID, "manager": "systemd"}),
        (
            f"/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_{OUTER}.slice/libpod-{ID}.scope",
            {"user_uid": 1000, "runtime": "podman", "container_id": ID, "pod_uid": OUTER, "manager": "systemd"},
        ),
        (f"/libpod_parent/libpod-{ID}", {"runtime": "podman", "container_id": ID}),
        (f"/k8s.io/{ID}", {"runtime": "containerd", "container_id": ID}),
        (f"/system.slice/nerdctl-{ID}.scope", {"runtime": "containerd", "container_id": ID, "manager": "systemd"}),
        ("/lxc/web1", {"runtime": "lxc", "container_name": "web1"}),
        ("/lxc/101/ns", {"runtime": "lxc", "container_name": "101"}),
        (
            f"/lxc/39004/ns/system.slice/docker-{ID}.scope",
            {"runtime": "docker", "container_id": ID, "manager": "systemd"},
        ),
        ("/lxc.payload.c1", {"runtime": "lxc", "container_name": "c1"}),
        ("/lxc.payload/c1", {"runtime": "lxc", "container_name": "c1"}),
        ("/lxc.monitor.c1", {"runtime": "lxc", "container_name": "c1"}),
        ("/qemu.slice/104.scope", {"runtime": "qemu", "container_name": "104", "manager": "systemd"}),
        (
            r"/machine.slice/machine-qemu\x2d1\x2dmy\x2dvm.scope/libvirt/emulator",
            {"runtime": "qemu", "container_name": "my-vm", "manager": "libvirt"},
        ),
        ("/machine/qemu-3-db.libvirt-qemu/vcpu0", {"runtime": "qemu", "container_name": "db", "manager": "libvirt"}),
        (
            "/machine.slice/machine-fedora.scope",
            {"runtime": "systemd-nspawn", "container_name": "fedora", "manager": "systemd"},
        ),
        (
            r"/machine.slice/systemd-nspawn@deb\x2d12.service/payload",
            {"runtime": "systemd-nspawn", "container_name": "deb-12", "manager": "systemd"},
        ),
        (f"/system.slice/runc-{ID}.scope", {"runtime": "runc", "container_id": ID, "manager": "systemd"}),
        ("/user.slice/crun-job1.scope", {"runtime": "crun", "container_name": "job1", "manager": "systemd"}),
    ],
)
def test_containers_are_named(path: str, said: dict[str, object]) -> None:
    assert _said(path) == said


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/slurm/uid_1000/job_123/step_0/task_0", {"user_uid": 1000, "job": "123.0", "manager": "slurm"}),
        ("/slurm_node7/uid_0/job_9/step_batch", {"user_uid": 0, "job": "9.batch", "manager": "slurm"}),
        ("/slurm/uid_1000/job_123", {"user_uid": 1000, "job": "123", "manager": "slurm"}),
        ("/system.slice/slurmstepd.scope/job_77/step_extern/user/task_0", {"job": "77.extern", "manager": "slurm"}),
        ("/system.slice/n1_slurmstepd.scope/job_77/step_2", {"job": "77.2", "manager": "slurm"}),
        ("/other/uid_1/job_2/step_3", {}),
        (
            f"/nomad.slice/share.slice/{ALLOC}.web.scope",
            {"job": ALLOC, "container_name": "web", "manager": "nomad"},
        ),
        (f"/nomad.slice/{ALLOC}.web.scope", {"job": ALLOC, "container_name": "web", "manager": "nomad"}),
        (f"/nomad/{ALLOC}", {"job": ALLOC, "manager": "nomad"}),
        (f"/ecs/{TASK}/{ID}", {"runtime": "docker", "container_id": ID, "job": TASK, "manager": "ecs"}),
        (f"/ecs/{TASK}", {"job": TASK, "manager": "ecs"}),
        (
            f"/ecstasks.slice/ecstasks-{TASK}.slice/docker-{ID}.scope",
            {"runtime": "docker", "container_id": ID, "job": TASK, "manager": "ecs"},
        ),
    ],
)
def test_jobs_of_schedulers_are_named(path: str, said: dict[str, object]) -> None:
    assert _said(path) == said


USER = "/user.slice/user-1000.slice/user@1000.service/app.slice"


@pytest.mark.parametrize(
    ("path", "app", "manager"),
    [
        (f"{USER}/snap.firefox.firefox-{ALLOC}.scope", "firefox.firefox", "snap"),
        (f"{USER}/snap.code.code.{ALLOC}.scope", "code.code", "snap"),
        ("/system.slice/snap.lxd.daemon.service", "lxd.daemon", "snap"),
        (f"{USER}/app-gnome-firefox-1234.scope", "firefox", "systemd"),
        (f"{USER}/app-firefox-1234.scope", "firefox", "systemd"),
        (
            rf"{USER}/app-gnome-org.gnome.Evolution\x2dalarm\x2dnotify-99.scope",
            "org.gnome.Evolution-alarm-notify",
            "systemd",
        ),
        (f"{USER}/app-org.gnome.Terminal.slice/vte-spawn-{ALLOC}.scope", "org.gnome.Terminal", "systemd"),
        (f"{USER}/app-firefox@0123456789abcdef0123456789abcdef.service", "firefox", "systemd"),
        (f"{USER}/app-org.kde.kalendarac@autostart.service", "org.kde.kalendarac", "systemd"),
        (f"{USER}/app-flatpak-org.mozilla.firefox-4321.scope", "org.mozilla.firefox", "flatpak"),
        (f"{USER}/dbus-:1.2-org.gnome.Nautilus@0.service", "org.gnome.Nautilus", "systemd"),
        ("/system.slice/app-bridge.service", None, "systemd"),
    ],
)
def test_desktop_applications_are_named(path: str, app: str | None, manager: str) -> None:
    names = names_of(path)
    assert (names.app, names.manager) == (app, manager)


@pytest.mark.parametrize(
    ("path", "unit", "slice_name"),
    [
        ("/system.slice/varnish.service", "varnish.service", "system.slice"),
        (
            r"/system.slice/system-getty.slice/getty@tty1.service",
            "getty@tty1.service",
            "system-getty.slice",
        ),
        (r"/system.slice/data\x2ddir.mount", r"data\x2ddir.mount", "system.slice"),
        ("/system.slice/_cgroup.service", "cgroup.service", "system.slice"),
        ("/init.scope", "init.scope", None),
        (f"{USER}/run-u640.service", "run-u640.service", "app.slice"),
        (USER, None, "app.slice"),
        ("/lxc.payload.c1/system.slice/nginx.service", "nginx.service", "system.slice"),
        ("/system.slice/foo.service/worker/3", "foo.service", "system.slice"),
        ("/mygroup", None, None),
        ("/", None, None),
        ("", None, None),
    ],
)
def test_the_innermost_unit_and_slice_are_as_systemd_names_them(
    path: str, unit: str | None, slice_name: str | None
) -> None:
    names = names_of(path)
    assert (names.unit, names.slice) == (unit, slice_name)


@pytest.mark.parametrize(
    ("path", "uid", "session"),
    [
        ("/user.slice/user-1000.slice/session-4.scope", 1000, "4"),
        ("/user.slice/user-121.slice/session-c1.scope", 121, "c1"),
        ("/user.slice/user-0.slice/user@0.service/init.scope", 0, None),
        ("/system.slice/user-runtime-dir@1001.service", 1001, None),
        ("/user.slice/user-99999999999999999999.slice", None, None),
        ("/user.slice", None, None),
    ],
)
def test_user_and_session_are_named(path: str, uid: int | None, session: str | None) -> None:
    names = names_of(path)
    assert (names.user_uid, names.session) == (uid, session)


@pytest.mark.parametrize("path", ["/../../system.slice/a.service", "/system.slice/a.service (deleted)"])
def test_namespace_prefix_and_deleted_suffix_do_not_disturb(path: str) -> None:
    names = names_of(path)
    assert (names.path, names.unit, names.slice) == (path, "a.service", "system.slice")


def test_the_innermost_container_wins_and_the_path_keeps_the_outer_one() -> None:
    path = f"/lxc.payload.c1/machine.slice/libpod-{ID}.scope"
    assert names_of(path) == CgroupNames(
        path=path,
        unit=f"libpod-{ID}.scope",
        slice="machine.slice",
        runtime="podman",
        container_id=ID,
        manager="systemd",
    )


def test_a_path_that_pretends_to_be_log_text_names_nothing() -> None:
    path = "/weird,task=init,pid=1,uid=0 Killed process 1 (docker-)"
    assert names_of(path) == CgroupNames(path=path)


def test_what_is_beyond_the_longest_path_of_the_kernel_is_not_read() -> None:
    path = "/a" * 2048 + f"/docker/{ID}"
    assert names_of(path) == CgroupNames(path=path)


def test_escapes_that_are_not_utf8_stay() -> None:
    assert unescape(r"caf\xc3\xa9\x2dbar \xff") == "café-bar \\xff"


def test_every_row_says_something_and_its_fields_exist() -> None:
    fields = set(CgroupNames.__dataclass_fields__) | {"step"}
    for row in ROWS:
        said = set(row.says) | set(row.pattern.groupindex)
        assert said, row.pattern.pattern
        assert said <= fields, row.pattern.pattern


_PIECES = st.sampled_from(
    [
        "docker",
        "kubepods",
        f"pod{POD}",
        ID,
        "lxc",
        "slurm",
        "job_1",
        "step_1",
        "..",
        "a b",
        "\\x2d",
        "app.slice",
        "_",
        ")",
        "\n",
    ]
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=40)), max_size=12))
def test_no_path_raises_and_the_path_is_kept(pieces: list[str]) -> None:
    path = "/" + "/".join(pieces)
    assert names_of(path).path == path
