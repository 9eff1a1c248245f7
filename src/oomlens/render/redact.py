"""`--redact`: host names, users, paths, cgroup ids and addresses replaced, the same everywhere, for sharing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from oomlens.model.codec import report_from_dict, report_to_dict
from oomlens.model.past import Past, with_names
from oomlens.model.report import Report

# Names that say what a cgroup is and nothing of whose it is.
_COMMON = re.compile(
    r"^(?:(?:system|user|machine|init|-|kubepods[\w-]*|app|session|background)\.slice|init\.scope|kubepods|burstable|besteffort"
    r"|docker|libpod_parent|lxc|lxc\.payload|podman|containerd|.*\.service|.*\.slice|.*\.scope|memory|job_\d+|step_\w+|task_\w+|)$"
)
_ADDRESSES = (
    ("ip", re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")),
    ("mac", re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![\w:])")),
    ("ip6", re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){4,7}[0-9a-fA-F]{1,4}(?![\w:])")),
    ("mail", re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+\w(?<!\.service)(?<!\.slice)(?<!\.scope)")),
    ("pointer", re.compile(r"(?<![0-9a-f])(?:0x)?[0-9a-f]{16}(?![0-9a-f])")),
    ("id", re.compile(r"(?<![0-9a-f])[0-9a-f]{32,64}(?![0-9a-f])")),
    ("uid", re.compile(r"[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}")),
)
_HOME = re.compile(r"(/home/|/Users/)([^/\s\"']+)")
_USER = re.compile(r"\b(user[-@])(\d+)\b")
_FILE = re.compile(r"(?<![\w/.:=])(/(?:var|srv|opt|mnt|data|etc|tmp|root|usr/local)(?:/[\w.@+-]+)+)")
# What is code or a name of our own, never somebody's.
_KEPT = frozenset(
    {
        "schema",
        "id",
        "kind",
        "killer",
        "scope",
        "constraint",
        "outcome",
        "trigger",
        "comm",
        "envelope",
        "what",
        "why",
        "time",
        "name",
    }
)


class Redaction:
    """Replacements for a set of reports; the same original always has the same alias."""

    def __init__(self, reports: Iterable[Report]) -> None:
        self._aliases: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        for report in reports:
            if report.host:
                self._alias("host", report.host)
            for names in (report.oom_memcg_names, report.task_memcg_names):
                if names is not None:
                    for kind, value in (
                        ("container", names.container_name),
                        ("container", names.container_id),
                        ("pod", names.pod_uid),
                    ):
                        if value:
                            self._alias(kind, value)
                    for part in names.path.split("/"):
                        if not _COMMON.match(part) and not any(pattern.search(part) for _, pattern in _ADDRESSES):
                            self._alias("cgroup", part)

    def report(self, report: Report) -> Report:
        """The report with its texts replaced; numbers, names of programs and the kernel's words stay."""
        entry = report_to_dict(report)
        return report_from_dict(self._walk(entry, ""))

    def past(self, past: Past) -> Past:
        """The past with its cgroups and containers replaced; sizes, times and names of programs stay."""
        return with_names(past, self._path, lambda name: self._alias("container", name))

    def _path(self, path: str) -> str:
        for part in path.split("/"):
            if not _COMMON.match(part) and not any(pattern.search(part) for _, pattern in _ADDRESSES):
                self._alias("cgroup", part)
        return self.text(path)

    def text(self, text: str) -> str:
        """A raw text with the same replacements."""
        for original in sorted(self._aliases, key=len, reverse=True):
            if len(original) > 2:
                text = re.sub(rf"(?<![\w.-]){re.escape(original)}(?![\w])", self._aliases[original], text)
        for kind, pattern in _ADDRESSES:
            text = pattern.sub(self._replacer(kind), text)
        text = _HOME.sub(lambda found: found[1] + self._alias("user", found[2]), text)
        text = _USER.sub(lambda found: found[1] + self._alias("user", found[2]), text)
        return _FILE.sub(lambda found: "/" + self._alias("path", found[1]), text)

    def _walk(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._walk(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [self._walk(part, key) for part in value]
        if isinstance(value, str) and key == "source":
            return value if value in ("-", "dmesg", "kmsg", "journal") else self._alias("source", value)
        return self.text(value) if isinstance(value, str) and key not in _KEPT else value

    def _replacer(self, kind: str) -> Callable[[re.Match[str]], str]:
        return lambda found: self._alias(kind, found[0])

    def _alias(self, kind: str, original: str) -> str:
        if original in self._aliases.values():
            return original
        if original not in self._aliases:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._aliases[original] = f"{kind}-{self._counts[kind]}"
        return self._aliases[original]
