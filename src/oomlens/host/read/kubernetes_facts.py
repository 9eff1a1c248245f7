"""Manifests, kustomizations and charts below the paths that a person named. Reads only; nothing is rendered or run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from oomlens.host.read.tree import Tree
from oomlens.host.read.yaml_places import read_yaml
from oomlens.plan.kubernetes.facts import File, FileFacts
from oomlens.plan.kubernetes.kustomize import NAMES
from oomlens.plan.kubernetes.objects import mapping, sequence
from oomlens.plan.kubernetes.paths import folder_of, joined
from oomlens.plan.yaml_find import data_of

_ENDS = (".yaml", ".yml", ".json")
_TEMPLATE_ENDS = (*_ENDS, ".tpl", ".gotmpl")
_MAX_FILES, _MAX_DEPTH = 5000, 100
_MAX_BYTES = 8 << 20
_LEFT_OUT = {"node_modules", "vendor", "__pycache__"}


def read_files(tree: Tree, paths: Iterable[str], here: str) -> FileFacts:
    """Reads files, and folders all the way down. paths: as given; relative ones are below `here`, the working folder."""
    gathering = _Gathering(tree)
    for path in paths:
        gathering.take(joined(here, path))
    return gathering.facts()


def working_folder(tree: Tree) -> str:
    """Where relative paths begin: the working folder of the running machine, the top of any other tree."""
    return str(Path.cwd()) if tree.live else "/"


class _Gathering:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._files: dict[str, File] = {}
        self._tops: list[str] = []
        self._charts: list[str] = []
        self._unread: dict[str, str] = {}

    def facts(self) -> FileFacts:
        """What was found."""
        unread = tuple(self._unread.items())
        return FileFacts(tuple(self._files.values()), read_yaml, tuple(self._tops), tuple(self._charts), unread)

    def take(self, path: str) -> None:
        """A path that a person named."""
        name = path.rpartition("/")[2]
        if not self._is_folder(path):
            if name == "Chart.yaml":
                self._chart(folder_of(path), None)
            elif name in NAMES:
                self._kustomization(path)
            elif self._is_chart(folder_of(path)) and "/templates/" not in path:
                self._chart(folder_of(path), path)
            else:
                self._file(path, "manifest", named=True)
            return
        top = next((joined(path, one) for one in NAMES if self._is_file(joined(path, one))), None)
        if self._is_chart(path):
            self._chart(path, None)
        elif top is not None:
            self._kustomization(top)
        else:
            self._folder(path)

    def _folder(self, path: str) -> None:
        names = self._tree.names(path)
        if "Chart.yaml" in names:
            self._charts.append(path)  # its templates are no manifests yet
            return
        for name in names:
            place = joined(path, name)
            if name.startswith(".") or name in _LEFT_OUT or len(self._files) >= _MAX_FILES:
                continue
            if self._is_folder(place):
                if not self._is_link(place):
                    self._folder(place)
            elif name.endswith(_ENDS) or name in NAMES:
                self._file(place, "kustomization" if name in NAMES else "manifest")

    def _kustomization(self, path: str) -> None:
        """A kustomization and all local files that it names."""
        self._tops.append(path)
        todo, seen = [path], set[Path]()
        while todo and len(seen) < _MAX_FILES:
            here = todo.pop()
            place = self._tree.place(here).resolve()  # links may lead in a circle
            if place in seen:
                continue
            seen.add(place)
            file = self._file(here, "kustomization", named=here == self._tops[-1])
            if file is None or not file.text.documents:
                continue
            for name in _named_in(file):
                path = joined(folder_of(here), name)
                inner = [joined(path, one) for one in NAMES if self._is_file(joined(path, one))]
                if inner:
                    todo += inner
                elif self._is_file(path):
                    self._file(path, "manifest")

    def _chart(self, folder: str, values: str | None) -> None:
        self._charts.append(folder)
        self._file(values or joined(folder, "values.yaml"), "values", named=True)
        self._templates(joined(folder, "templates"))

    def _templates(self, folder: str) -> None:
        for name in self._tree.names(folder):
            place = joined(folder, name)
            if self._is_folder(place):
                if not self._is_link(place):
                    self._templates(place)
            elif name.endswith(_TEMPLATE_ENDS):
                self._file(place, "template")

    def _file(self, path: str, role: str, *, named: bool = False) -> File | None:
        if path in self._files:
            return self._files[path]
        try:
            fact = self._tree.file(path)
        except OSError as error:
            self._unread[path] = error.strerror or str(error)
            return None
        if fact is None:
            self._unread[path] = "no such file"
            return None
        if len(fact.content) > _MAX_BYTES:
            self._unread[path] = f"larger than {_MAX_BYTES >> 20} MiB"
            return None
        text = read_yaml(fact.content if role != "template" else b"")
        if text.problem is not None and role != "template":
            self._unread[path] = text.problem
            if not named:
                return None
        self._files[path] = File(role, fact, text)
        return self._files[path]

    def _is_file(self, path: str) -> bool:
        try:
            return self._tree.place(path).is_file()
        except OSError:
            return False

    def _is_link(self, path: str) -> bool:
        """A folder that is a link, or so deep that it could be: not walked into."""
        return path.count("/") > _MAX_DEPTH or (self._tree.root / path.lstrip("/")).is_symlink()

    def _is_folder(self, path: str) -> bool:
        try:
            return self._tree.place(path).is_dir()
        except OSError:
            return False

    def _is_chart(self, folder: str) -> bool:
        return self._is_file(joined(folder, "Chart.yaml"))


def _named_in(file: File) -> list[str]:
    """Files and folders that a kustomization names."""
    data = data_of(file.text.documents[0])
    names: list[object] = []
    for key in ("resources", "bases", "components", "patchesStrategicMerge"):
        names += sequence(data, key)
    for key in ("patches", "patchesJson6902"):
        names += [mapping(one).get("path") for one in sequence(data, key)]
    return [name for name in names if isinstance(name, str) and "\n" not in name and "://" not in name]
