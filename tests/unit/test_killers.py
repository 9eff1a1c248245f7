"""Every killer reads its own samples, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomlens.decode import killers
from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.killers import KILLERS
from oomlens.decode.sightings import read_sightings
from oomlens.model.record import Record

SAMPLES = [
    pytest.param(*sample, id=f"{killer.name}-{number}")
    for killer in KILLERS
    for number, sample in enumerate(killer.samples)
]


def as_records(texts: tuple[str, ...], ident: str | None) -> list[Record]:
    return [Record(text, line, line, 0, 0, ident=ident) for line, text in enumerate(texts, 1)]


@pytest.mark.parametrize(("texts", "ident", "expected"), SAMPLES)
def test_a_sample_gives_its_sighting(texts: tuple[str, ...], ident: str | None, expected: Sighting | None) -> None:
    found = read_sightings(as_records(texts, ident))
    assert [sighting for sighting, _, _ in found] == ([expected] if expected is not None else [])


@pytest.mark.parametrize("killer", KILLERS, ids=lambda killer: killer.name)
def test_every_killer_has_a_near_miss_and_says_where_its_words_come_from(killer: Killer) -> None:
    assert any(expected is None for _, _, expected in killer.samples)
    assert any(expected is not None for _, _, expected in killer.samples)
    assert killer.source


def test_the_list_holds_every_file() -> None:
    folder = Path(killers.__file__).parent
    files = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    assert files == sorted(getattr(killers, name).__name__.rsplit(".", 1)[-1] for name in files)
    assert len(KILLERS) == len(files)
    assert all(getattr(killers, name).KILLER in KILLERS for name in files)


def test_a_trace_with_its_causes_is_one_event() -> None:
    texts = (
        'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
        "\tat a.B.c(B.java:1)",
        "Caused by: java.lang.OutOfMemoryError: Java heap space",
        "\t... 12 more",
        "java.lang.OutOfMemoryError: Metaspace",
    )
    kinds = [sighting.details["kind"] for sighting, _, _ in read_sightings(as_records(texts, "app"))]
    assert kinds == ["Java heap space", "Metaspace"]


def test_the_kernel_cannot_be_impersonated_by_another_program() -> None:
    text = "send sigkill to 77 (a.b), adj 9, size 1234"
    assert read_sightings(as_records((text,), "myapp")) == []
