from collections.abc import Sequence

from oomlens.decode.killer import Sighting
from oomlens.model.record import Record


def read_sightings(records: Sequence[Record]) -> list[tuple[Sighting, int, int]]:
    return []
