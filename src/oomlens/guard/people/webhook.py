"""One HTTP POST of an event. The address may hold secrets: only its host is ever told."""

from __future__ import annotations

import base64
import threading
from http.client import HTTPException
from pathlib import Path
from urllib import error, parse, request

LIMIT_SECONDS = 5.0
_SCHEMES = ("http", "https")
_MOST_ADDRESS_BYTES = 8192


class AddressError(ValueError):
    """An address that cannot be used. The text is a word: `scheme`, `address`, `file`."""


def address_of(text: str) -> str:
    """The address that an option means: `@FILE` is read from a file, so that a secret is not in the list of processes.

    Raises AddressError.
    """
    if text.startswith("@"):
        try:
            with Path(text[1:]).open("rb") as file:
                text = file.read(_MOST_ADDRESS_BYTES).decode("ascii").strip()
        except (OSError, ValueError):
            raise AddressError("file") from None
    try:
        parts = parse.urlsplit(text)
        port_is_sane = parts.port is None or parts.port > 0
    except ValueError:
        raise AddressError("address") from None
    if parts.scheme not in _SCHEMES:
        raise AddressError("scheme")
    if not parts.hostname or not port_is_sane or any(not "!" <= character <= "~" for character in text):
        raise AddressError("address")
    return text


def place_of(address: str) -> str:
    """What may be told of an address: no user, no path, no query."""
    parts = parse.urlsplit(address)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def post(address: str, body: bytes, *, limit_seconds: float = LIMIT_SECONDS) -> str | None:
    """Sends it; returns what went wrong, or None. Redirections are not followed: an event goes where it was meant to go.

    The limit is for all of it, names and slow answers too.
    """
    answers: list[str | None] = []
    worker = threading.Thread(target=lambda: answers.append(_post(address, body, limit_seconds)), daemon=True)
    worker.start()
    worker.join(limit_seconds)
    problem = answers[0] if answers else f"no answer within {limit_seconds:g} s"
    return None if problem is None else f"{place_of(address)}: {problem}"


def _post(address: str, body: bytes, limit_seconds: float) -> str | None:
    parts = parse.urlsplit(address)
    headers = {"Content-Type": "application/json", "User-Agent": "oomlens-guard", "Connection": "close"}
    if parts.username is not None:
        user = f"{parse.unquote(parts.username)}:{parse.unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    bare = parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    # Only these: no redirections, no proxies of somebody's environment, no file: or ftp:.
    opener = request.OpenerDirector()
    for handler in (
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPErrorProcessor,
        request.HTTPDefaultErrorHandler,
    ):
        opener.add_handler(handler())
    try:
        with opener.open(
            request.Request(bare, data=body, headers=headers, method="POST"),  # noqa: S310 - the scheme was looked at
            timeout=limit_seconds,
        ):
            return None
    except error.HTTPError as answer:
        answer.close()
        return f"it answered {answer.code}"
    except error.URLError as trouble:
        reason = trouble.reason
        return (reason.strerror or str(reason)) if isinstance(reason, OSError) else "it cannot be reached"
    except (OSError, HTTPException, ValueError) as trouble:
        return type(trouble).__name__  # its text may hold the address
