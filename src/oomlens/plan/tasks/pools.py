"""Programs with a pool of workers, and the setting that says how many; a row each."""

from __future__ import annotations

from typing import NamedTuple

from oomlens.plan.settings_text import Format

_PHP = Format(" = ", r"\s*=\s*", sections=True, comments=";", trailing_comments=False)
_APACHE = Format(" ", r"\s+", trailing_comments=False)
_PYTHON = Format(" = ", r"\s*=\s*")


class Pool(NamedTuple):
    """comms: names of its processes (beginnings). folders: where its files are, `*` for one level. key: the number of workers.

    recycle: what renews a worker before a leak has grown: key and value, as its manual advises. by_hand: the same on a command line.
    """

    name: str
    comms: tuple[str, ...]
    folders: tuple[str, ...]
    key: str
    form: Format
    recycle: tuple[tuple[str, str], ...]
    by_hand: str


POOLS: tuple[Pool, ...] = (
    Pool(
        "apache", ("apache2", "httpd"),
        ("/etc/apache2/mods-enabled", "/etc/apache2", "/etc/httpd/conf.modules.d", "/etc/httpd/conf.d", "/etc/httpd/conf"),
        "MaxRequestWorkers", _APACHE, (("MaxConnectionsPerChild", "1000"),), "MaxRequestWorkers {count}",
    ),
    Pool(
        "gunicorn", ("gunicorn",), ("/etc/gunicorn", "/etc/gunicorn.d"), "workers", _PYTHON,
        (("max_requests", "1000"), ("max_requests_jitter", "100")),
        "gunicorn --workers {count} --max-requests 1000 --max-requests-jitter 100 …",
    ),
    Pool(
        "php-fpm", ("php-fpm",), ("/etc/php/*/fpm/pool.d", "/etc/php-fpm.d"), "pm.max_children", _PHP, (("pm.max_requests", "500"),),
        "pm.max_children = {count}",
    ),
    Pool("celery", ("celery",), (), "", _PYTHON, (), "celery worker --concurrency={count} --max-memory-per-child=…"),
    Pool("puma", ("puma", "ruby"), (), "", _PYTHON, (), "workers {count}"),
    Pool("uwsgi", ("uwsgi",), (), "", _PYTHON, (), "uwsgi --processes {count} --max-requests 1000"),
)  # fmt: skip
MAKE = "make -j {count}"


def pool_of(comm: str) -> Pool | None:
    """The pool that a process belongs to, by its name."""
    return next((pool for pool in POOLS if any(comm.startswith(name) for name in pool.comms)), None)
