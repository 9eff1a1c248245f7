"""Programs with a pool of workers, and the setting that says how many; a row each."""

from __future__ import annotations

from typing import NamedTuple

from oomlens.plan.settings_text import Format

_PHP = Format(" = ", r"\s*=\s*", sections=True, comments=";", trailing=";")
_APACHE = Format(" ", r"\s+", trailing_comments=False)
_PYTHON = Format(" = ", r"\s*=\s*")
_INI = Format(" = ", r"\s*=\s*", sections=True, comments="#;", trailing_comments=False)


class Pool(NamedTuple):
    """comms: names of its processes (beginnings). folders: where its files are, `*` for one level. key: the number of workers.

    recycle: what renews a worker before a leak has grown: key and value, as its manual advises. by_hand: the same on a command line.
    not_above: other settings that must not be above the number. threads: how many of the number one process has.
    options: of its command line, that name its file; a word with the ending `ending` is one too.
    """

    name: str
    comms: tuple[str, ...]
    folders: tuple[str, ...]
    key: str
    form: Format
    recycle: tuple[tuple[str, str], ...]
    by_hand: str
    not_above: tuple[str, ...] = ()
    threads: str = ""
    options: tuple[str, ...] = ()
    ending: str = "\0"


POOLS: tuple[Pool, ...] = (
    Pool(
        "apache", ("apache2", "httpd"),
        ("/etc/apache2/mods-enabled", "/etc/apache2", "/etc/httpd/conf.modules.d", "/etc/httpd/conf.d", "/etc/httpd/conf"),
        "MaxRequestWorkers", _APACHE, (("MaxConnectionsPerChild", "1000"),), "MaxRequestWorkers {count}", threads="ThreadsPerChild",
    ),
    Pool(
        "celery", ("celery",), (), "", _PYTHON, (),
        "celery worker --concurrency={count} --max-tasks-per-child=200 --max-memory-per-child=…",
    ),
    Pool(
        "gunicorn", ("gunicorn",), ("/etc/gunicorn", "/etc/gunicorn.d"), "workers", _PYTHON,
        (("max_requests", "1000"), ("max_requests_jitter", "100")),
        "gunicorn --workers {count} --max-requests 1000 --max-requests-jitter 100 …", options=("-c", "--config"),
    ),
    Pool("make", ("make", "gmake", "ninja"), (), "", _PYTHON, (), "make -j {count}"),
    Pool(
        "php-fpm", ("php-fpm",), ("/etc/php/*/fpm/pool.d", "/etc/php-fpm.d"), "pm.max_children", _PHP, (("pm.max_requests", "500"),),
        "pm.max_children = {count}", not_above=("pm.max_spare_servers", "pm.start_servers", "pm.min_spare_servers"),
    ),
    Pool("puma", ("puma",), (), "", _PYTHON, (), "workers {count}"),
    Pool("unicorn", ("unicorn",), (), "", _PYTHON, (), "worker_processes {count}"),
    Pool(
        "uwsgi", ("uwsgi",), ("/etc/uwsgi/apps-enabled", "/etc/uwsgi.d", "/etc/uwsgi"), "processes", _INI,
        (("max-requests", "1000"), ("max-requests-delta", "100")), "uwsgi --processes {count} --max-requests 1000", options=("--ini",),
        ending=".ini",
    ),
)  # fmt: skip


def pool_of(comm: str, words: tuple[str, ...] = ()) -> Pool | None:
    """The pool that a process belongs to: by its name, or the program or script that its command line begins with."""
    names = (comm, *(word.rpartition("/")[2] for word in words[:2]))
    return next((pool for pool in POOLS if any(name.startswith(pool.comms) for name in names)), None)


def named_files(pool: Pool, words: tuple[str, ...]) -> tuple[str, ...]:
    """The files that a command line names."""
    found: list[str] = []
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in pool.options and (equals or at + 1 < len(words)):
            found.append(value if equals else words[at + 1])
        elif at and word.endswith(pool.ending):
            found.append(word)
    return tuple(dict.fromkeys(each.removeprefix("file:") for each in found if not each.startswith("python:")))
