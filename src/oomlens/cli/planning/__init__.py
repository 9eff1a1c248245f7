"""`oomlens plan KIND`: one file a kind, a line below.

Each module has
  PATH                      the words after `oomlens plan`, such as ("swap",) or ("limit", "unit")
  describe, epilog, add_arguments   as a verb has
  propose(args, reader)     -> plans and refusals; reads through the reader (`oomlens.host.read.reader.Reader`), changes nothing
"""

from __future__ import annotations

from types import ModuleType

from oomlens.cli.planning import (
    jvm,
    limit_container,
    limit_kubernetes,
    limit_unit,
    protect,
    runtime,
    sacrifice,
    swap,
    sysctl,
    tasks,
)

KINDS: tuple[ModuleType, ...] = (
    jvm,
    limit_container,
    limit_kubernetes,
    limit_unit,
    protect,
    runtime,
    sacrifice,
    swap,
    sysctl,
    tasks,
)
