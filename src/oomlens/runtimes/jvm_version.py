"""Which JVM it is, and what that one knows of cgroups.

Sources: JDK-8146115 (8u191, 10), JDK-8230305 (cgroup v2: 15, 11.0.16, 8u372), JDK-8186248 and JDK-8222252 (percentages).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBERS = re.compile(
    r"(?:1\.)?(?P<feature>[0-9]{1,3})(?:\.0(?:_(?P<update>[0-9]{1,4})|\.(?P<patch>[0-9]{1,4})(?:[.+-]|$))?|u(?P<u>[0-9]{1,4}))?"
)
_PRINTED = re.compile(r"^JDK (?P<version>[0-9][^\s]{0,40})", re.MULTILINE)
_RELEASE = re.compile(r'^JAVA_VERSION="(?P<version>[^"\n]{1,40})"', re.MULTILINE)


class JvmVersion(NamedTuple):
    """feature: 8, 11, 17… update: 372 of 8u372, 16 of 11.0.16; None: not known. openj9: whether it is Eclipse OpenJ9 and not HotSpot."""

    feature: int
    update: int | None = None
    openj9: bool = False

    @property
    def shown(self) -> str:
        """As people write it."""
        number = str(self.feature)
        if self.update is not None:
            number += f"u{self.update}" if self.feature == 8 else f".0.{self.update}"
        return f"{number} (OpenJ9)" if self.openj9 else number


def version_of(text: str, *, openj9: bool = False) -> JvmVersion | None:
    """`17.0.15`, `1.8.0_372`, `8.0_372`, `8u372`, `21`; None for anything else."""
    found = _NUMBERS.match(text)
    if found is None:
        return None
    update = found["update"] or found["patch"] or found["u"]
    return JvmVersion(int(found["feature"]), None if update is None else int(update), openj9)


def printed_version(output: str) -> JvmVersion | None:
    """From what `jcmd PID VM.version` prints."""
    found = _PRINTED.search(output)
    return None if found is None else version_of(found["version"], openj9="OpenJ9" in output)


def release_version(text: str) -> JvmVersion | None:
    """From the file `release` of a JDK's folder."""
    found = _RELEASE.search(text)
    return None if found is None else version_of(found["version"], openj9="OpenJ9" in text or "openj9" in text)


def reads_cgroups(version: JvmVersion, cgroup_version: int) -> bool | None:
    """Whether this JVM takes the limit of its cgroup for its RAM. None: it depends on an update that is not known.

    Distributions backport, and some later updates had faults of their own: what the JVM says itself (VM.info) is better.
    """
    if version.openj9:
        return True
    feature, update = version.feature, version.update
    if feature == 8:
        least = 191 if cgroup_version == 1 else 372
    elif feature == 11 and cgroup_version == 2:
        least = 16
    else:
        return feature >= (10 if cgroup_version == 1 else 15)
    return None if update is None else update >= least


def knows_percentages(version: JvmVersion | None) -> bool | None:
    """Whether MaxRAMPercentage and its like are known: 8u191 and 10 on; older ones do not start with them."""
    if version is None:
        return None
    if version.feature != 8:
        return version.feature >= 10
    return None if version.update is None else version.update >= 191


def starts_with_whole_percentages(version: JvmVersion | None) -> bool | None:
    """Whether `-XX:MaxRAMPercentage=75` is read at all: JDK 8 wants `75.0` and does not start otherwise (measured: 17, 21, 25 take both)."""
    return None if version is None else version.feature > 8


# Flags of older generations, and the first that does not start with them (measured on 17 and 25; 10 to 12 by their release notes).
GONE = {
    "UseCGroupMemoryLimitForHeap": 11,
    "MaxPermSize": 17,
    "PermSize": 17,
    "MaxRAMFraction": 25,
    "MinRAMFraction": 25,
    "InitialRAMFraction": 25,
}
