"""systemctl on a machine of files: what it shows follows from unit files and runtime drop-ins, as systemd's does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oomlens.host.read import unit_facts
from oomlens.host.read.reader import Reader
from oomlens.host.run import Output
from oomlens.kernel.sizes import bytes_of
from oomlens.plan.units.dropin import KERNEL_FILES
from oomlens.plan.units.facts import UnitFacts
from oomlens.plan.units.text import value_of

_DEFAULTS = {"OOMScoreAdjust": "0", "OOMPolicy": "stop"}
SECTIONS = ("Service", "Slice", "Scope")


class FakeSystemd:
    """groups: cgroup path of each running unit. Limits reach the cgroup's files by set-property, and by daemon-reload with 252.

    release: 252 or 257, as those were seen to behave.
    """

    def __init__(self, root: Path, groups: dict[str, str], release: int = 252) -> None:
        self.release = release
        self.root = root
        self.groups = groups
        self.calls: list[str] = []
        self.results: dict[str, str] = {}

    def __call__(self, argv: Sequence[str]) -> Output:
        self.calls.append(" ".join(argv))
        match list(argv):
            case ["systemctl", "show", *options, "--", unit]:
                return self._show(unit, options)
            case ["systemctl", "set-property", "--runtime", unit, assignment]:
                return self._set(unit, assignment)
            case ["systemctl", "daemon-reload"]:
                for unit in self.groups if self.release < 257 else ():
                    self._realize(unit)
                return Output(0, "", "")
            case ["systemctl", "restart", _unit]:
                return Output(0, "", "")
        return Output(1, "", f"{argv[0]}: not here")

    def _setting(self, unit: str, key: str) -> str | None:
        reader = Reader(self.root)
        facts = UnitFacts(unit, unit_facts._fragment(reader, unit), unit_facts._dropins(reader, unit))
        contents = facts.contents
        return next((value for section in SECTIONS if (value := value_of(contents, section, key)) is not None), None)

    def _value(self, unit: str, key: str) -> str:
        value = self._setting(unit, key)
        if key in _DEFAULTS:
            return value or _DEFAULTS[key]
        if value is None or value == "infinity":
            return "infinity"
        return str(bytes_of(value)) if bytes_of(value) is not None else value

    def _show(self, unit: str, options: list[str]) -> Output:
        if "@." in unit:
            return Output(
                1, "", f"Failed to get properties: Unit name {unit} is neither a valid invocation ID nor unit name."
            )
        keys = [key for option in options if option.startswith("--property=") for key in option[11:].split(",")]
        unit = unit_facts._own_name(Reader(self.root), unit)
        values = {key: self._value(unit, key) for key in keys}
        values |= {"Result": self.results.get(unit, "success"), "Id": unit, "ControlGroup": self.groups.get(unit, "")}
        fragment = unit_facts._fragment(Reader(self.root), unit)
        values["LoadState"] = "loaded" if fragment is not None or unit in self.groups else "not-found"
        values["Transient"] = "yes" if fragment is None and unit in self.groups else "no"
        if "--value" in options:
            return Output(0, "".join(f"{values[key]}\n" for key in keys), "")
        return Output(0, "".join(f"{key}={values[key]}\n" for key in keys), "")

    def _set(self, unit: str, assignment: str) -> Output:
        key, _, value = assignment.partition("=")
        folder = self.root / f"run/systemd/system.control/{unit}.d"
        folder.mkdir(parents=True, exist_ok=True)
        section = unit.rpartition(".")[2].capitalize()
        (folder / f"50-{key}.conf").write_text(f"# made by systemctl\n[{section}]\n{key}={value}\n", encoding="utf-8")
        self._realize(unit)
        return Output(0, "", "")

    def _realize(self, unit: str) -> None:
        """cgroup files of a unit that runs follow the settings; a value that only the kernel has is overwritten too, as systemd does."""
        for key, names in KERNEL_FILES.items() if unit in self.groups else ():
            for below, name in zip(("", "/memory"), names, strict=True):
                place = self.root / f"sys/fs/cgroup{below}{self.groups[unit]}/{name}"
                if name and place.exists():
                    value = self._value(unit, key)
                    place.write_text(("max" if value == "infinity" else value) + "\n", encoding="ascii")
