"""Asks a running Redis or Valkey about its memory, through redis-cli. Reads only."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oomlens.host.read.reader import Reader
from oomlens.i18n import message
from oomlens.model.plan import Text
from oomlens.runtimes.redis import figures_of

_SECONDS = 5.0
_TITLE = re.compile(
    r"\S*(?:redis|valkey|keydb)-server\s+(?:(?P<host>[0-9A-Za-z.:\[\]*-]{1,64}):(?P<port>[0-9]{1,5})(?!\S)|unixsocket:(?P<socket>\S{1,108}))"
)
_ASKED = ("maxmemory", "maxmemory-policy", "save", "appendonly")


def client_of(argv: Sequence[str]) -> list[str] | None:
    """The redis-cli command for a server, from the title that it gives itself: `redis-server 127.0.0.1:6379`."""
    found = _TITLE.match(" ".join(argv))
    if found is None:
        return None
    if found["socket"]:
        return ["redis-cli", "-s", found["socket"]]
    host = found["host"].strip("[]")
    return ["redis-cli", "-h", "127.0.0.1" if host in ("*", "0.0.0.0") else host, "-p", found["port"]]  # noqa: S104 - asked, not bound


def ask_redis(reader: Reader, argv: Sequence[str]) -> tuple[dict[str, str], Text | None]:
    """Lines of INFO, settings as `config:NAME`, and `client`: the command that was used, a line an argument. Else why not."""
    client = client_of(argv)
    if client is None:
        return {}, Text(message("where the server listens is not known: it was not asked"))
    done = reader.program([*client, "INFO"], timeout_seconds=_SECONDS)
    figures = figures_of(done.stdout)
    if done.returncode != 0 or "used_memory" not in figures:
        told = (done.stderr or done.stdout).strip().partition("\n")[0][:200]
        return {}, Text(message("the server did not answer redis-cli: {problem}"), {"problem": told})
    for name in _ASKED:
        answer = reader.program([*client, "CONFIG", "GET", name], timeout_seconds=_SECONDS)
        lines = answer.stdout.split("\n")
        if answer.returncode == 0 and lines[0] == name and len(lines) > 1:
            figures[f"config:{name}"] = lines[1]
    figures["client"] = "\n".join(client)
    return figures, None
