"""What a cgroup path says in words: unit, user, container, pod, job.

A path is read from the root to the leaf, one component after the other, by the rows of `oomlens.kernel.cgroup_rows`.
What is further inside replaces what is further outside: the innermost container wins.
The outer ones stay visible in the path.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from oomlens.kernel.cgroup_rows import ROWS, Row
from oomlens.model.report import CgroupNames

# The kernel's longest path (include/uapi/linux/limits.h); what a log has beyond is not the kernel's.
_PATH_MAX = 4096
_DELETED = re.compile(r"(?: \(deleted\)|//deleted)$")
_HEX_ESCAPE = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
# What programs call themselves in a path, where that is not the name people know.
_RUNTIMES = {"cri-containerd": "containerd", "crio": "cri-o", "libpod": "podman"}
_UNITS = (".service", ".scope", ".slice", ".socket", ".mount", ".swap")
_QOS = {"besteffort": "BestEffort", "burstable": "Burstable"}
# A container replaces the container round it as a whole, and a pod is not the container round it.
_CONTAINER = ("runtime", "container_id", "container_name")
_UID = re.compile(r"[0-9]{1,10}")


def names_of(path: str) -> CgroupNames:
    """Names the unit, slice, user, container, pod and job of a cgroup path; never raises.

    path: as the kernel prints it (`oom_memcg=`, `task_memcg=`, `Task in …`); it is kept unchanged in the result.
    `/..` of a cgroup namespace in front and ` (deleted)` behind do not disturb.
    """
    names = _names_of(path[:_PATH_MAX])
    return names if names.path == path else replace(names, path=path)


def unescape(name: str) -> str:
    r"""Undoes systemd's `\xNN` escapes for display (systemd-escape(1)); what is not UTF-8 stays escaped."""
    return _HEX_ESCAPE.sub(_bytes_to_text, name)


@lru_cache(maxsize=256)
def _names_of(path: str) -> CgroupNames:
    found: dict[str, str] = {}
    components = [each for each in _DELETED.sub("", path).split("/") if each not in ("", ".", "..")]
    for index, component in enumerate(components):
        # systemd puts "_" in front of unit names that the cgroup file system reserves, and of those that begin with it.
        name = component.removeprefix("_") if component.endswith(_UNITS) else component
        above = "/".join(components[max(0, index - 2) : index])
        for row in ROWS:
            if row.needle in name and _apply(row, name, above, found):
                break
        _note_unit(name, found)
    return _finish(path, found)


def _apply(row: Row, name: str, above: str, found: dict[str, str]) -> bool:
    """Takes a row's meaning into `found`; False where the component is not of this row."""
    match = row.pattern.fullmatch(name)
    if match is None or (row.above is not None and row.above.search(above) is None):
        return False
    says = {**row.says, **{field: text for field, text in match.groupdict().items() if text}}
    if "step" in says:
        if "job" not in found:
            return False
        says["job"] = f"{found['job']}.{says.pop('step')}"
    if "pod_uid" in says or not says.keys().isdisjoint(_CONTAINER):
        for field in _CONTAINER:
            found.pop(field, None)
    if "pod_uid" in says and row.says.get("manager") == "kubernetes":
        # With cgroupfs the class is in the component above; a pod directly below kubepods is Guaranteed.
        level = says.get("qos_class") or above.rpartition("/")[2]
        says["qos_class"] = level if level in _QOS else "Guaranteed"
    found.update(says)
    return True


def _note_unit(name: str, found: dict[str, str]) -> None:
    """Takes a component that systemd named as unit or slice; `slice:runtime:id` (runc without systemd) is none."""
    if name.endswith(".slice"):
        found["slice"] = name
        found.pop("unit", None)
    elif name.endswith(_UNITS):
        found["unit"] = name


def _finish(path: str, found: dict[str, str]) -> CgroupNames:
    uid = found.get("user_uid", "")
    pod = found.get("pod_uid")
    runtime = found.get("runtime")
    manager = found.get("manager")
    if manager is None and ("unit" in found or "slice" in found):
        manager = "systemd"
    return CgroupNames(
        path=path,
        unit=found.get("unit"),
        slice=found.get("slice"),
        user_uid=int(uid) if _UID.fullmatch(uid) else None,
        session=found.get("session"),
        runtime=_RUNTIMES.get(runtime, runtime) if runtime is not None else None,
        container_id=found.get("container_id"),
        container_name=_display(found.get("container_name")),
        pod_uid=pod.replace("_", "-") if pod is not None else None,
        qos_class=_QOS.get(found.get("qos_class", ""), found.get("qos_class")),
        job=found.get("job"),
        app=_display(found.get("app")),
        manager=manager,
    )


def _display(name: str | None) -> str | None:
    return None if name is None else unescape(name)


def _bytes_to_text(escapes: re.Match[str]) -> str:
    try:
        return bytes.fromhex(escapes[0].replace("\\x", "")).decode()
    except UnicodeDecodeError:
        return escapes[0]
