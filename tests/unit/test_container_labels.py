"""Names of containers and pods, as Docker, containerd, containers/storage and kubelet leave them on the disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oomlens.host.read.containers import ContainerLabels
from oomlens.kernel.cgroup_names import names_of
from oomlens.model.history import ContainerLabel
from support.fake_machine import write

ID = "0f2b3fcdd257" + "a" * 52
POD = "1b2c3d4e-5f60-4718-92a3-b4c5d6e7f809"
POD_CGROUP = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD.replace('-', '_')}.slice"


def label_of(root: Path, path: str) -> ContainerLabel | None:
    return ContainerLabels(root).of(names_of(path))


def test_docker_says_name_and_image(tmp_path: Path) -> None:
    write(
        tmp_path / f"var/lib/docker/containers/{ID}/config.v2.json",
        json.dumps({"Name": "/web-1", "Config": {"Image": "nginx:1.27", "Labels": {"a": "b"}}}),
    )
    assert label_of(tmp_path, f"/system.slice/docker-{ID}.scope") == ContainerLabel(ID, "web-1", "nginx:1.27")
    assert label_of(tmp_path, f"/docker/{'b' * 64}") is None


def test_docker_with_its_data_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "etc/docker/daemon.json", json.dumps({"data-root": "/data/docker"}))
    write(tmp_path / f"data/docker/containers/{ID}/config.v2.json", json.dumps({"Name": "/db", "Config": None}))
    assert label_of(tmp_path, f"/docker/{ID}") == ContainerLabel(ID, "db")


def test_containerd_says_pod_and_namespace(tmp_path: Path) -> None:
    tags = {
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.sandbox-name": "web-7d9",
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.image-name": "registry/app:2",
    }
    write(
        tmp_path / f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json",
        json.dumps({"ociVersion": "1.1.0", "annotations": tags}),
    )
    label = label_of(tmp_path, f"{POD_CGROUP}/cri-containerd-{ID}.scope")
    assert label == ContainerLabel(ID, "app", "registry/app:2", "web-7d9", "shop")
    assert label.pod_path == "shop/web-7d9"


def test_podman_and_cri_o_by_their_storage(tmp_path: Path) -> None:
    other = "c" * 64
    entries = [
        {"id": ID, "names": ["jolly_mouse"], "metadata": json.dumps({"image-name": "docker.io/library/redis:7"})},
        {"id": other, "names": [f"k8s_app_web-7d9_shop_{POD}_0"], "metadata": "{}"},
        {"id": 7},
        "no object",
    ]
    write(tmp_path / "var/lib/containers/storage/overlay-containers/containers.json", json.dumps(entries))
    assert label_of(tmp_path, f"/machine.slice/libpod-{ID}.scope") == ContainerLabel(
        ID, "jolly_mouse", "docker.io/library/redis:7"
    )
    assert label_of(tmp_path, f"{POD_CGROUP}/crio-{other}.scope") == ContainerLabel(
        other, "app", None, "web-7d9", "shop"
    )


def test_containers_storage_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "etc/containers/storage.conf", '[storage]\n# graphroot = "/no"\n  graphroot = "/data/pod"\n')
    write(tmp_path / "data/pod/overlay-containers/containers.json", json.dumps([{"id": ID, "names": ["there"]}]))
    assert label_of(tmp_path, f"/machine.slice/libpod-{ID}.scope") == ContainerLabel(ID, "there")


def test_a_user_s_own_podman(tmp_path: Path) -> None:
    write(tmp_path / "etc/passwd", "root:x:0:0::/root:/bin/sh\nmika:x:1000:1000::/home/mika:/bin/sh\nbroken\n")
    storage = tmp_path / "home/mika/.local/share/containers/storage/overlay-containers/containers.json"
    write(storage, json.dumps([{"id": ID, "names": ["mine"]}]))
    path = f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"
    assert label_of(tmp_path, path) == ContainerLabel(ID, "mine")


def test_kubelet_s_log_names_where_nothing_else_is_readable(tmp_path: Path) -> None:
    write(tmp_path / f"var/log/containers/web-7d9_shop_app-{ID}.log", "")
    assert label_of(tmp_path, f"{POD_CGROUP}/cri-containerd-{ID}.scope") == ContainerLabel(
        ID, "app", None, "web-7d9", "shop"
    )
    (tmp_path / f"var/log/pods/shop_web-7d9_{POD}").mkdir(parents=True)
    assert label_of(tmp_path, POD_CGROUP) == ContainerLabel(None, None, None, "web-7d9", "shop")


def test_a_name_outlives_its_container(tmp_path: Path) -> None:
    file = tmp_path / f"var/lib/docker/containers/{ID}/config.v2.json"
    write(file, json.dumps({"Name": "/web"}))
    known, path = ContainerLabels(tmp_path), f"/docker/{ID}"
    assert known.labels([names_of(path), names_of("/system.slice")]) == {path: ContainerLabel(ID, "web")}
    file.unlink()
    assert known.of(names_of(path)) == ContainerLabel(ID, "web")


def test_what_cannot_be_found_is_not_looked_for_for_ever(tmp_path: Path) -> None:
    known = ContainerLabels(tmp_path)
    for _ in range(3):
        assert known.of(names_of(f"/docker/{ID}")) is None
    write(tmp_path / f"var/lib/docker/containers/{ID}/config.v2.json", json.dumps({"Name": "/late"}))
    assert known.of(names_of(f"/docker/{ID}")) is None


@pytest.mark.parametrize(
    "content", ["", "[", "[" * 100_000, "7", '{"Name": 5, "Config": [1]}', '{"Config":{"Labels":["x"]}}']
)
def test_files_that_make_no_sense_are_no_names(tmp_path: Path, content: str) -> None:
    write(tmp_path / f"var/lib/docker/containers/{ID}/config.v2.json", content)
    write(tmp_path / "etc/docker/daemon.json", content)
    write(tmp_path / "var/lib/containers/storage/overlay-containers/containers.json", content)
    assert label_of(tmp_path, f"/docker/{ID}") is None
