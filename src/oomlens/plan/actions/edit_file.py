"""edit-file: some bytes of a text file are replaced, or a file is made. State: sha256, mode, uid, gid, content; or absent."""

from __future__ import annotations

import base64
import difflib
import hashlib
import shlex

from oomlens.model.plan import Effect, FileFact, Json, Lasts, Safety, Step, Text
from oomlens.plan.actions.action import Action

NAME = "edit-file"
ABSENT = {"present": False}


class NotTextError(ValueError):
    """The place to change is not UTF-8."""


def edit_file(
    path: str,
    before: FileFact | None,
    content: bytes,
    title: Text,
    *,
    mode: int = 0o644,
    safety: Safety = Safety.SAFE,
    effect: Effect = Effect.NOW,
    lasts: Lasts = Lasts.FOR_GOOD,
) -> Step:
    """The step that makes a file's content `content`, as the smallest replaced span of whole bytes.

    before: the file now, None where there is none; then mode is that of the new one. Raises NotTextError.
    """
    old = before.content if before is not None else b""
    parameters: dict[str, Json] = {
        "path": path,
        "edits": _edits(old, content) if before is not None else [{"start": 0, "old": "", "new": _text(content)}],
        "after_sha256": sha256(content),
        "mode": before.mode if before is not None else mode,
    }
    seen = ABSENT if before is None else {"present": True, "sha256": sha256(old)}
    return Step(
        NAME,
        path,
        title,
        parameters,
        seen,
        safety,
        effect,
        lasts,
        diff_of(path, None if before is None else old, content),
    )


def sha256(content: bytes) -> str:
    """Hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise NotTextError(str(error)) from error


def _edits(old: bytes, new: bytes) -> list[Json]:
    """The lines that differ, each run cut down to the bytes that differ."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    offsets = [0]
    for line in before:
        offsets.append(offsets[-1] + len(line))
    edits: list[Json] = []
    for tag, first, last, new_first, new_last in difflib.SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if tag != "equal":
            edits.append(_trimmed(offsets[first], b"".join(before[first:last]), b"".join(after[new_first:new_last])))
    return edits


def _trimmed(start: int, old: bytes, new: bytes) -> Json:
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    while head and (old[head : head + 1] or new[head : head + 1] or b"a")[0] & 0xC0 == 0x80:
        head -= 1  # not within a character
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    while tail and old[len(old) - tail] & 0xC0 == 0x80:
        tail -= 1
    return {
        "start": start + head,
        "old": _text(old[head : len(old) - tail]),
        "new": _text(new[head : len(new) - tail]),
    }


def edited(content: bytes, edits: list[Json]) -> bytes:
    """The content with the edits made. Raises ValueError where the old bytes are not there."""
    done, at = bytearray(), 0
    for edit in edits:
        start, old = int(edit["start"]), str(edit["old"]).encode()
        if start < at or content[start : start + len(old)] != old:
            raise ValueError(f"the text to replace is not at byte {start}")
        done += content[at:start] + str(edit["new"]).encode()
        at = start + len(old)
    return bytes(done + content[at:])


def state_of(fact: FileFact | None) -> Json:
    """The state of a file, with all that restores it."""
    if fact is None:
        return ABSENT
    return {
        "present": True,
        "sha256": sha256(fact.content),
        "mode": fact.mode,
        "uid": fact.uid,
        "gid": fact.gid,
        "content_base64": base64.b64encode(fact.content).decode("ascii"),
    }


def content_of(state: Json) -> bytes | None:
    """The content that a state keeps; None of a file that is not there."""
    return base64.b64decode(state["content_base64"]) if state["present"] else None


def diff_of(path: str, old: bytes | None, new: bytes | None) -> tuple[str, ...]:
    """A unified diff, without line ends."""
    lines = [_lines((content or b"").decode("utf-8", "backslashreplace")) for content in (old, new)]
    names = [path if content is not None else "/dev/null" for content in (old, new)]
    return tuple(difflib.unified_diff(lines[0], lines[1], names[0], names[1], lineterm="", n=2))


def _lines(text: str) -> list[str]:
    """As sed and diff count them: a carriage return is part of its line, other line separators of Unicode are."""
    lines = text.split("\n")
    return lines[:-1] if not lines[-1] else lines


def reached(step: Step, state: Json) -> bool:
    """Whether the file has the wanted content."""
    return bool(state["present"]) and state["sha256"] == step.parameters["after_sha256"]


def fits(step: Step, state: Json) -> bool:
    """Whether the file is the one that the plan was made for."""
    if step.before is None:
        return True
    return bool(state["present"] == step.before["present"] and state.get("sha256") == step.before.get("sha256"))


def commands(step: Step, prefix: str) -> tuple[str, ...]:
    """A new file as a here-document, an edit as a sed script of whole lines."""
    path = shlex.quote(prefix + step.parameters["path"])
    if not step.before or not step.before["present"]:
        return _written(path, int(step.parameters["mode"]), str(step.parameters["edits"][0]["new"]))
    return _sed(step.diff, path, reverse=False)


def undo_commands(step: Step, prefix: str) -> tuple[str, ...]:
    """The way back."""
    path = shlex.quote(prefix + step.parameters["path"])
    if not step.before or not step.before["present"]:
        return (f"sudo rm {path}",)
    return _sed(step.diff, path, reverse=True)


def _written(path: str, mode: int, text: str) -> tuple[str, ...]:
    word = "EOF"
    while word in text:
        word += "_"
    body = text.removesuffix("\n")
    return (f"sudo install -D -m {mode:04o} /dev/stdin {path} <<'{word}'", *body.split("\n"), word)


def _sed(diff: tuple[str, ...], path: str, *, reverse: bool) -> tuple[str, ...]:
    """The diff as line commands of GNU sed; its addresses are lines of the file before."""
    script: list[str] = []
    line = 0  # the last line of the file before that was passed
    gone = 0
    come: list[str] = []
    signs = ("+", "-") if reverse else ("-", "+")
    for entry in (*diff[2:], " "):
        if entry[:1] not in signs:
            script += _change(line, gone, come)
            gone, come = 0, []
        if entry.startswith("@@"):
            begin, _, count = entry.split()[2 if reverse else 1][1:].partition(",")
            line = int(begin) - (count != "0")
        elif entry.startswith(signs[1]):
            come.append(entry[1:])
        else:
            line += 1
            gone += entry.startswith(signs[0])
    return (f"sudo sed -i -f - {path} <<'EOF'", *script, "EOF")


def _change(line: int, gone: int, come: list[str]) -> list[str]:
    """`gone` lines up to `line` become `come`."""
    where = f"{line - gone + 1},{line}" if gone > 1 else str(line)
    text = [entry.replace("\\", "\\\\") + "\\" for entry in come]
    if not come:
        return [f"{where}d"] if gone else []
    text[-1] = text[-1][:-1]
    command = "c" if gone else "a"
    return [f"{where}{command}\\" if gone or line else "1i\\", *text]


ACTION = Action(NAME, reached, fits, commands, undo_commands)
