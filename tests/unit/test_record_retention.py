"""Which files of a history have to go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oomlens.record.retention import MOST_FILES, Keep, Stored, surplus

HOUR = 3600.0
FILES = [Stored(f"{number:02}", 100, HOUR) for number in range(30)]


def test_whole_hours_beyond_those_wanted_go() -> None:
    # The last 24 files hold 24 hours; the 6 before them are not needed.
    assert surplus(FILES, Keep(24 * HOUR, 1 << 30)) == ["00", "01", "02", "03", "04", "05"]
    assert surplus(FILES[:25], Keep(24 * HOUR, 1 << 30)) == ["00"]
    assert surplus(FILES[:24], Keep(24 * HOUR, 1 << 30)) == []


def test_what_is_about_to_be_written_counts() -> None:
    assert surplus(FILES[:10], Keep(24 * HOUR, 1000), 0) == []
    assert surplus(FILES[:10], Keep(24 * HOUR, 1000), 1) == ["00"]
    assert surplus(FILES[:10], Keep(24 * HOUR, 1000), 201) == ["00", "01", "02"]


def test_the_hours_before_a_kill_stay_as_long_as_there_is_room() -> None:
    files = [one._replace(kills=1) if one.name == "03" else one for one in FILES]
    assert surplus(files, Keep(24 * HOUR, 1 << 30)) == ["00", "01", "04", "05"]
    # Half of the room is for one such file: the one with the kill.
    assert surplus(files, Keep(24 * HOUR, 3000), 0) == ["00", "01", "04", "05"]
    assert surplus(files, Keep(24 * HOUR, 300)) == [
        *(one.name for one in FILES[:3]),
        *(one.name for one in FILES[4:28]),
    ]


def test_the_file_in_use_stays_whatever_happens() -> None:
    assert surplus([Stored("1", 5000, 99 * HOUR)], Keep(HOUR, 1000), 500) == []
    assert surplus([], Keep(HOUR, 1000), 500) == []


def test_thousands_of_tiny_files_do_not_pile_up() -> None:
    files = [Stored(str(number), 1, 1.0) for number in range(MOST_FILES + 20)]
    assert surplus(files, Keep()) == [str(number) for number in range(20)]


@given(
    st.lists(
        st.builds(Stored, st.just(""), st.integers(0, 1000), st.integers(0, 4000), st.integers(0, 2)), max_size=30
    ),
    st.integers(1, 50_000),
    st.integers(1, 5000),
    st.integers(0, 500),
)
def test_what_stays_fits_or_is_the_file_in_use(files: list[Stored], seconds: int, room: int, coming: int) -> None:
    named = [one._replace(name=str(number)) for number, one in enumerate(files)]
    gone = surplus(named, Keep(seconds, room), coming)
    left = [one for one in named if one.name not in gone]
    assert len(set(gone)) == len(gone)
    assert named[-1:] == left[-1:]
    assert sum(one.size_bytes for one in left) + coming <= room or left == named[-1:]
