"""In the guest, where there is no orjson for its Python: the same three calls on the standard library."""

from __future__ import annotations

import json
from typing import Any

JSONDecodeError = json.JSONDecodeError
OPT_INDENT_2, OPT_SORT_KEYS, OPT_NON_STR_KEYS, OPT_APPEND_NEWLINE = 1, 32, 4, 1024


def dumps(value: object, default: Any = None, option: int = 0) -> bytes:
    spaced = {"indent": 2} if option & OPT_INDENT_2 else {"separators": (",", ":")}
    text = json.dumps(value, ensure_ascii=False, sort_keys=bool(option & OPT_SORT_KEYS), default=default, **spaced)
    return (text + ("\n" if option & OPT_APPEND_NEWLINE else "")).encode()


def loads(data: bytes | str) -> Any:
    return json.loads(data)
