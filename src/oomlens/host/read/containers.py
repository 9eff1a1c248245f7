"""What containers and pods are called, from what their engines left on the disk; no engine is asked, all below one root.

Read (layouts are the engines' own and may change; what is not understood is not known):
- Docker: <data-root>/containers/<id>/config.v2.json (moby daemon/container),
- containerd: /run/containerd/io.containerd.runtime.v2.task/<namespace>/<id>/config.json, the runtime's bundle,
- Podman, CRI-O, Buildah: overlay-containers/containers.json of containers/storage,
- Kubernetes: /var/log/containers/<pod>_<namespace>_<container>-<id>.log and /var/log/pods/<namespace>_<pod>_<uid> (kubelet).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from oomlens.model.history import ContainerLabel
from oomlens.model.report import CgroupNames

_MOST_BYTES = 16 << 20
_MOST_KNOWN = 2000
# A container's files may come a moment after its cgroup; then it is given up.
_TRIES = 3
_ID = re.compile(r"\w[\w.-]{0,75}")
# Names that kubelet gave through dockershim, and CRI-O gives: k8s_<container>_<pod>_<namespace>_<uid>_<attempt>.
_KUBERNETES_NAME = re.compile(r"k8s_(?P<name>[^_]+)_(?P<pod>[^_]+)_(?P<namespace>[^_]+)_[^_]+_[0-9]+")
_GRAPH_ROOT = re.compile(r'^\s*graphroot\s*=\s*"(/[^"\n]+)"', re.MULTILINE)
_DOCKER_FOLDERS = ("var/lib/docker", "var/snap/docker/common/var-lib-docker", "var/lib/balena-engine")
_STORAGE_FOLDERS = ("var/lib/containers/storage",)
_SPEC_FOLDERS = ("run/containerd/io.containerd.runtime.v2.task", "run/k3s/containerd/io.containerd.runtime.v2.task")
_STORAGE_FILES = ("overlay-containers/containers.json", "overlay-containers/volatile-containers.json")
_TAGS = {
    "name": ("io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"),
    "image": ("io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"),
    "pod": ("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"),
    "namespace": ("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"),
}


class ContainerLabels:
    """Names of containers by their cgroups; remembers them, also after the container has gone."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._known: dict[tuple[str | None, str | None], ContainerLabel | int] = {}
        self._storages: dict[Path, tuple[float, dict[str, ContainerLabel]]] = {}
        self._readers: tuple[Callable[[CgroupNames, str], ContainerLabel | None], ...] = (
            self._docker,
            self._bundle,
            self._storage,
            self._log_link,
        )

    def labels(self, all_names: Iterable[CgroupNames]) -> dict[str, ContainerLabel]:
        """The labels that are known, by cgroup path."""
        found = ((names.path, self.of(names)) for names in all_names if names.container_id or names.pod_uid)
        return {path: label for path, label in found if label is not None}

    def own(self, container_id: str) -> dict[str, str]:
        """The labels that its owner gave a container (Docker's labels, the annotations of its OCI bundle); none where nothing on the disk says."""
        if not _ID.fullmatch(container_id):
            return {}
        for folder in self._docker_folders():
            entry = _object(folder / "containers" / container_id / "config.v2.json")
            config = entry.get("Config") if entry is not None else None
            if isinstance(config, dict):
                return _texts(config.get("Labels"))
        for name in _SPEC_FOLDERS:
            for namespace in _entries(self._root / name):
                entry = _object(namespace / container_id / "config.json")
                if entry is not None:
                    return _texts(entry.get("annotations"))
        return {}

    def of(self, names: CgroupNames) -> ContainerLabel | None:
        """What the container, or the pod, of a cgroup is called; None where nothing on the disk says so. Never raises."""
        key = names.container_id, names.pod_uid
        known = self._known.pop(key, 0)
        if isinstance(known, int) and known < _TRIES:
            known = self._look_up(names) or known + 1
        self._known[key] = known  # the last one in the order
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return known if isinstance(known, ContainerLabel) else None

    def _look_up(self, names: CgroupNames) -> ContainerLabel | None:
        label: ContainerLabel | None = None
        if names.container_id is not None and _ID.fullmatch(names.container_id):
            for read in self._readers:
                label = read(names, names.container_id)
                if label is not None:
                    break
        if names.pod_uid is None or (label is not None and label.pod is not None):
            return label
        pod = self._pod(names.pod_uid)
        if pod is None:
            return label
        return pod if label is None else label._replace(pod=pod.pod, namespace=pod.namespace)

    def _docker(self, _names: CgroupNames, container_id: str) -> ContainerLabel | None:
        for folder in self._docker_folders():
            entry = _object(folder / "containers" / container_id / "config.v2.json")
            if entry is not None:
                config = entry.get("Config")
                config = config if isinstance(config, dict) else {}
                return _from_tags(
                    container_id, config.get("Labels"), _text(entry.get("Name")), _text(config.get("Image"))
                )
        return None

    def _docker_folders(self) -> Iterator[Path]:
        settings = _object(self._root / "etc/docker/daemon.json") or {}
        elsewhere = _text(settings.get("data-root"))
        if elsewhere is not None and elsewhere.startswith("/"):
            yield self._root / elsewhere.lstrip("/")
        for name in _DOCKER_FOLDERS:
            yield self._root / name

    def _bundle(self, _names: CgroupNames, container_id: str) -> ContainerLabel | None:
        for name in _SPEC_FOLDERS:
            for namespace in _entries(self._root / name):
                entry = _object(namespace / container_id / "config.json")
                if entry is not None and (label := _from_tags(container_id, entry.get("annotations"))) is not None:
                    return label
        return None

    def _storage(self, names: CgroupNames, container_id: str) -> ContainerLabel | None:
        folders = [*self._graph_roots(), *(self._root / name for name in _STORAGE_FOLDERS)]
        if names.user_uid is not None and (home := self._home(names.user_uid)) is not None:
            folders.append(home / ".local/share/containers/storage")
        for folder in folders:
            for name in _STORAGE_FILES:
                known = self._stored(folder / name)
                if container_id in known:
                    return known[container_id]
        return None

    def _graph_roots(self) -> Iterator[Path]:
        """Where storage.conf says that containers/storage is (containers-storage.conf(5))."""
        try:
            found = _GRAPH_ROOT.search((self._root / "etc/containers/storage.conf").read_text("utf-8", "replace"))
        except OSError:
            return
        if found is not None:
            yield self._root / found[1].lstrip("/")

    def _stored(self, file: Path) -> dict[str, ContainerLabel]:
        try:
            changed = file.stat().st_mtime
        except OSError:
            return {}
        if file not in self._storages or self._storages[file][0] != changed:
            self._storages[file] = changed, dict(_stored_labels(_json(file)))
        return self._storages[file][1]

    def _home(self, uid: int) -> Path | None:
        try:
            lines = (self._root / "etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return None
        cells = next((cells for line in lines if len(cells := line.split(":")) > 5 and cells[2] == str(uid)), None)
        return self._root / cells[5].lstrip("/") if cells is not None else None

    def _log_link(self, _names: CgroupNames, container_id: str) -> ContainerLabel | None:
        ending = f"-{container_id}.log"
        for link in _entries(self._root / "var/log/containers"):
            cells = link.name.removesuffix(ending).split("_", 2)
            if link.name.endswith(ending) and len(cells) == 3:
                return ContainerLabel(container_id, cells[2], None, cells[0], cells[1])
        return None

    def _pod(self, uid: str) -> ContainerLabel | None:
        for folder in _entries(self._root / "var/log/pods"):
            namespace, _, rest = folder.name.partition("_")
            pod, _, its_uid = rest.rpartition("_")
            if pod and its_uid == uid:
                return ContainerLabel(None, None, None, pod, namespace)
        return None


def _stored_labels(entries: Any) -> Iterator[tuple[str, ContainerLabel]]:
    """Entries of containers.json: id, names, and what the engine noted as `metadata`, JSON in a text."""
    for entry in entries if isinstance(entries, list) else ():
        container_id = _text(entry.get("id")) if isinstance(entry, dict) else None
        if container_id is None:
            continue
        names = entry.get("names")
        metadata = _parsed(_text(entry.get("metadata")) or "{}")
        metadata = metadata if isinstance(metadata, dict) else {}
        name = _text(names[0]) if isinstance(names, list) and names else _text(metadata.get("name"))
        yield container_id, _labelled(container_id, name, _text(metadata.get("image-name")))


def _from_tags(
    container_id: str, tags: Any, name: str | None = None, image: str | None = None
) -> ContainerLabel | None:
    tags = tags if isinstance(tags, dict) else {}
    said = {part: next((text for key in keys if (text := _text(tags.get(key)))), None) for part, keys in _TAGS.items()}
    known = _labelled(container_id, name.lstrip("/") if name is not None else None, image)
    label = known._replace(**{part: text for part, text in said.items() if text is not None})
    return label if label != ContainerLabel(container_id) else None


def _texts(tags: Any) -> dict[str, str]:
    return {key: value for key, value in tags.items() if isinstance(value, str)} if isinstance(tags, dict) else {}


def _labelled(container_id: str, name: str | None, image: str | None) -> ContainerLabel:
    found = _KUBERNETES_NAME.fullmatch(name or "")
    if found is None:
        return ContainerLabel(container_id, name, image)
    return ContainerLabel(container_id, found["name"], image, found["pod"], found["namespace"])


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _object(file: Path) -> dict[str, Any] | None:
    value = _json(file)
    return value if isinstance(value, dict) else None


def _json(file: Path) -> Any:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
    except OSError:
        return None
    return _parsed(data) if len(data) <= _MOST_BYTES else None


def _parsed(data: bytes | str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str | None:
    return value[:253] if isinstance(value, str) and value else None
