"""Records that span lines: journal export and verbose, JSON over several lines, netconsole fragments, CRI partial lines."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from oomlens.decode.envelope import BlockEnvelope, Line, Unwrapped
from oomlens.decode.json_object import unwrap_object
from oomlens.model.record import Record

_FIELD = re.compile(r"^([A-Z_][A-Z0-9_]{0,63})=(.*)$", re.DOTALL)
_VERBOSE = re.compile(r"^    ([A-Z_][A-Z0-9_]{0,63})=(.*)$", re.DOTALL)


def record_of(inner: Unwrapped, envelope: str, first: Line, last: Line) -> Record:
    """A record that stands from one line to another."""
    return Record(
        inner.text, first.line, last.line, first.first_byte, last.last_byte, envelope, inner.uptime_seconds, inner.stamp,
        inner.host, inner.ident, inner.sender_pid, inner.level, inner.caller, inner.fields,
    )  # fmt: skip


def _read_export(lines: Sequence[Line | Record]) -> list[Line | Record]:
    """`journalctl -o export`: FIELD=value lines, an empty line ends an entry; -o verbose: the same, indented."""
    done: list[Line | Record] = []
    fields: dict[str, str] = {}
    held: list[Line] = []

    def flush() -> None:
        inner = unwrap_object(fields) if "MESSAGE" in fields else None
        if inner is None or not held:
            done.extend(held)
        else:
            done.append(record_of(inner, "journal-export", held[0], held[-1]))
        fields.clear()
        held.clear()

    for line in lines:
        if isinstance(line, Record):
            flush()
            done.append(line)
            continue
        found = _FIELD.match(line.text) or _VERBOSE.match(line.text)
        if found is not None and (found[1] in fields and found[1] in ("__CURSOR", "__REALTIME_TIMESTAMP")):
            flush()  # the blank line between two entries is lost
        if found is not None:
            fields.setdefault(found[1], found[2])
            held.append(line)
        elif not line.text.strip():
            flush()
        else:
            flush()
            done.append(line)
    flush()
    return done


def _read_json(lines: Sequence[Line | Record]) -> list[Line | Record]:
    """`dmesg --json`, `journalctl -o json-pretty`, arrays of log events: objects that begin and end on lines of their own."""
    done: list[Line | Record] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        if isinstance(line, Record) or line.text.strip().rstrip(",") not in ("{", "[{", "},{"):
            done.append(line)
            continue
        end = index
        while end < len(lines) and end - index < 200:
            part = lines[end]
            if isinstance(part, Record) or part.text.strip().rstrip(",]").rstrip() in ("}", "},{"):
                break
            end += 1
        held = [part for part in lines[index : end + 1] if isinstance(part, Line)]
        body = "{" + "".join(part.text for part in held).strip().rstrip(",]{").rstrip().rstrip(",")
        inner = None
        try:
            entry = json.loads(body)
            inner = unwrap_object(entry) if isinstance(entry, dict) else None
        except (ValueError, RecursionError):
            pass
        if inner is None or not held:
            done.append(line)
            continue
        done.append(record_of(inner, "json", line, held[-1]))
        index = end + 1
    return done


def export_text(texts: Sequence[str]) -> str:
    """Texts as `journalctl -o export` prints them."""
    return "".join(
        f"__REALTIME_TIMESTAMP={1770092506000003 + n * 1000}\n__MONOTONIC_TIMESTAMP={1000000003 + n * 1000}\n_TRANSPORT=kernel\nPRIORITY=6\n"
        f"SYSLOG_IDENTIFIER=kernel\n_HOSTNAME=host1\nMESSAGE={text}\n\n"
        for n, text in enumerate(texts)
    )


def dmesg_json_text(texts: Sequence[str]) -> str:
    """Texts as `dmesg --json` prints them."""
    entries = [{"pri": 6, "time": round(1000 + n / 1000, 6), "msg": text} for n, text in enumerate(texts)]
    return json.dumps({"dmesg": entries}, indent=3)


EXPORT = BlockEnvelope("journal-export", "MESSAGE=", _read_export, export_text)
JSON_BLOCK = BlockEnvelope("json", "{\n", _read_json, dmesg_json_text)
