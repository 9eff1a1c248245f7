"""Records -> sightings: asks the killers, for the few records that hold one of their words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oomlens.decode.killer import Sighting
from oomlens.decode.killers import KILLERS
from oomlens.model.record import Record

# One coarse look at the text keeps ordinary lines cheap; the killers' own needles decide.
_GATE = re.compile(r"oom|[Oo]ut ?[Oo]f ?[Mm]em|OOM|[Kk]ill|llocat|evict|emory|sig|SIG")


def read_sightings(records: Sequence[Record]) -> list[tuple[Sighting, int, int]]:
    """(sighting, index of its first record, index after its last), in order; no record is used twice."""
    found: list[tuple[Sighting, int, int]] = []
    gate = _GATE.search
    after = 0
    for index, record in enumerate(records):
        # The kernel's own report is never a killer's word; only Android's driver, oomd and our guard write there.
        if index < after or (
            record.uptime_seconds is not None
            and record.ident in (None, "kernel")
            and "lowmem" not in record.text
            and "oomd" not in record.text
            and "sigkill to" not in record.text
            and not record.text.startswith("oomlens-guard: ")
        ):
            continue
        if not gate(record.text):
            continue
        text = record.text.lower()
        for killer in KILLERS:
            if any(needle in text for needle in killer.needles):
                sighting = killer.read(records, index)
                if sighting is not None:
                    after = index + sighting[1]
                    found.append((sighting[0], index, after))
                    break
    return found
