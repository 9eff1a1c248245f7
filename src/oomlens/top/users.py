"""Names of users by number, looked up once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class Users(dict[int, str]):
    """Names by uid, as far as `learn` was asked for them; of another root they would be another machine's."""

    def __init__(self, root: Path = Path("/")) -> None:
        super().__init__()
        self._asked: set[int] = set()
        self._here = root == Path("/")

    def learn(self, uids: Iterable[int | None]) -> None:
        """Looks up those that are new."""
        import pwd

        for uid in set(uids):
            if uid is None or uid in self._asked or not self._here:
                continue
            self._asked.add(uid)
            try:
                self[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                continue
