"""The record in a JSON object: text, time, host and sender stand under keys that differ by shipper; the lists are tried in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from oomlens.decode.envelope import Unwrapped
from oomlens.model.record import Stamp

_TEXT = (
    "MESSAGE", "message", "msg", "log", "textPayload", "jsonPayload", "line", "Line", "@message", "body", "Body", "_raw", "event", "text",
    "_source", "LogEntry", "logEntry", "Message", "short_message", "LogMessage", "content", "data",
)  # fmt: skip
_TIME = (
    "__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "@timestamp", "timestamp", "time", "ts", "date", "Time", "Timestamp",
    "receiveTimestamp", "TimeGenerated", "observedTimestamp", "eventTime",
)  # fmt: skip
_HOST = (
    "_HOSTNAME",
    "hostname",
    "host",
    "Host",
    "Computer",
    "HOSTNAME",
    "node_name",
    "node",
    "source_host",
    "instance",
    "beat",
)
_IDENT = (
    "SYSLOG_IDENTIFIER",
    "syslog_identifier",
    "ident",
    "appname",
    "program",
    "tag",
    "process_name",
    "APP_NAME",
    "_COMM",
    "syslogIdentifier",
)
_LEVEL = ("PRIORITY", "priority", "pri", "prio", "level")
_NESTED = (
    "resource",
    "labels",
    "kubernetes",
    "attributes",
    "meta",
    "agent",
    "fields",
    "stream",
    "host",
    "log",
    "process",
    "journald",
    "jsonPayload",
)
_NUMBER = re.compile(r"^\d{9,19}(?:\.\d+)?$")
_KEPT = (
    "_SYSTEMD_UNIT", "UNIT", "_TRANSPORT", "_BOOT_ID", "CONTAINER_NAME", "CONTAINER_ID_FULL", "pod", "pod_name", "container",
    "container_name", "namespace", "namespace_name", "logName", "stream",
)  # fmt: skip
_WORDS = {
    "emerg": 0,
    "alert": 1,
    "crit": 2,
    "critical": 2,
    "err": 3,
    "error": 3,
    "warn": 4,
    "warning": 4,
    "notice": 5,
    "info": 6,
    "debug": 7,
}


def text_of(value: Any) -> str | None:
    """Text of a JSON value; journald writes what is not UTF-8 as an array of bytes."""
    if isinstance(value, str):
        # JSON can escape half a surrogate pair, which no encoding can write again.
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list) and value and all(isinstance(part, int) and 0 <= part < 256 for part in value):
        return bytes(value).decode("utf-8", "backslashreplace")
    return None


def unwrap_object(entry: Mapping[str, Any]) -> Unwrapped | None:
    """The record in a decoded JSON object, or None where it holds no text under a known key."""
    if "stamp" in entry and "MESSAGE" not in entry and "msg" not in entry:
        return None
    holder: Mapping[str, Any] = entry
    text: str | None = None
    for key in _TEXT:
        value = entry.get(key)
        if isinstance(value, Mapping):
            inner = unwrap_object(value)
            if inner is None:
                continue
            text, holder = inner.text, {**value, **{name: part for name, part in entry.items() if name not in value}}
            break
        text = text_of(value)
        if text is not None:
            break
    if text is None:
        return None
    flat = dict(holder)
    for key in _NESTED:
        part = holder.get(key)
        if isinstance(part, Mapping):
            for name, value in part.items():
                flat.setdefault(name, value)
            labels = part.get("labels")
            if isinstance(labels, Mapping):
                for name, value in labels.items():
                    flat.setdefault(name, value)
    ident = _first(flat, _IDENT)
    if flat.get("_TRANSPORT") == "kernel":
        ident = "kernel"
    facility = _first(flat, ("SYSLOG_FACILITY", "fac", "facility"))
    if ident == "kernel" and facility not in (None, "0", "kern"):
        ident = "user"
    pid = _first(flat, ("_PID", "SYSLOG_PID", "pid", "procid"))
    return Unwrapped(
        text.rstrip("\r\n"),
        uptime_seconds=_uptime(flat),
        stamp=_stamp(flat),
        host=_first(flat, _HOST),
        ident=ident,
        sender_pid=int(pid) if pid is not None and pid.isdigit() and len(pid) < 12 else None,
        level=_severity(_first(flat, _LEVEL)),
        caller=_first(flat, ("caller",)) if re.match(r"[TC]\d+$", str(flat.get("caller"))) else None,
        fields=tuple((key, value) for key in _KEPT if (value := text_of(flat.get(key))) is not None),
    )


def _first(flat: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = flat.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        text = text_of(value)
        if text:
            return text
    return None


def _stamp(flat: Mapping[str, Any]) -> Stamp | None:
    value = _first(flat, _TIME)
    if value is None:
        return None
    return Stamp("epoch", value) if _NUMBER.match(value) else Stamp("iso" if value[:4].isdigit() else "words", value)


def _uptime(flat: Mapping[str, Any]) -> float | None:
    for key in ("_SOURCE_MONOTONIC_TIMESTAMP", "__MONOTONIC_TIMESTAMP"):
        value = text_of(flat.get(key))
        if value is not None and value.isdigit() and flat.get("_TRANSPORT", "kernel") == "kernel":
            return int(value) / 1e6
    value = flat.get("time")
    if isinstance(value, float | int) and not isinstance(value, bool) and "msg" in flat and value < 1e8:
        return float(value)  # dmesg --json
    return None


def _severity(value: str | None) -> int | None:
    if value is None:
        return None
    return int(value) & 7 if value.isdigit() and len(value) < 4 else _WORDS.get(value.lower())
