"""A file's edit: the smallest span, the shell that does the same, and the way back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oomlens.model.plan import FileFact, Step, Text
from oomlens.plan.actions.edit_file import NotTextError, commands, edit_file, edited, undo_commands
from support.plans import run_shell

TITLE = Text("edit")
LINES = st.lists(st.text(alphabet="ab \t\\é$'#é日", max_size=6), max_size=7)


def step_for(path: str, old: bytes | None, new: bytes) -> Step:
    return edit_file(path, None if old is None else FileFact(path, old), new, TITLE)


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_edits_make_the_new_text(old: str, new: str) -> None:
    step = step_for("/f", old.encode(), new.encode())
    assert edited(old.encode(), step.parameters["edits"]) == new.encode()


def test_only_what_differs_is_replaced() -> None:
    step = step_for("/f", b"# c\nlimit: 512Mi  # keep\nend\n", b"# c\nlimit: 640Mi  # keep\nend\n")
    assert step.parameters["edits"] == [{"start": 11, "old": "512", "new": "640"}]
    assert step.diff[3:] == (" # c", "-limit: 512Mi  # keep", "+limit: 640Mi  # keep", " end")


def test_a_change_within_a_character_takes_the_whole_character() -> None:
    step = step_for("/f", "aé\n".encode(), "aè\n".encode())
    assert step.parameters["edits"] == [{"start": 1, "old": "é", "new": "è"}]


def test_bytes_that_are_no_text_are_left_alone() -> None:
    step = step_for("/f", b"# caf\xe9\nx=1\n", b"# caf\xe9\nx=2\n")
    assert edited(b"# caf\xe9\nx=1\n", step.parameters["edits"]) == b"# caf\xe9\nx=2\n"
    with pytest.raises(NotTextError):
        step_for("/f", b"x=\xe9\n", b"x=1\n")


def test_an_edit_of_another_text_is_refused() -> None:
    step = step_for("/f", b"x=1\n", b"x=2\n")
    with pytest.raises(ValueError, match="byte 2"):
        edited(b"y=\n", step.parameters["edits"])


@settings(max_examples=60, deadline=None)
@given(LINES, LINES)
def test_the_shown_shell_makes_the_same_bytes_and_takes_them_back(before: list[str], after: list[str]) -> None:
    old = "".join(f"{line}\n" for line in before).encode()
    new = "".join(f"{line}\n" for line in after).encode()
    if not old or not new or old == new:
        return  # sed has no line to stand on in an empty file
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "a file"
        place.write_bytes(old)
        step = step_for("/a file", old, new)
        run_shell("\n".join(line.removeprefix("sudo ") for line in commands(step, folder)) + "\n")
        assert place.read_bytes() == new
        run_shell("\n".join(line.removeprefix("sudo ") for line in undo_commands(step, folder)) + "\n")
        assert place.read_bytes() == old


def test_the_shown_shell_makes_and_removes_a_new_file(tmp_path: Path) -> None:
    text = b"[Service]\n# EOF\n$HOME `id` \\ 'x'\n"
    step = edit_file("/etc/new dir/x.conf", None, text, TITLE, mode=0o600)
    run_shell("\n".join(line.removeprefix("sudo ") for line in commands(step, str(tmp_path))) + "\n")
    place = tmp_path / "etc/new dir/x.conf"
    assert place.read_bytes() == text
    assert place.stat().st_mode & 0o777 == 0o600
    run_shell("\n".join(line.removeprefix("sudo ") for line in undo_commands(step, str(tmp_path))) + "\n")
    assert not place.exists()
