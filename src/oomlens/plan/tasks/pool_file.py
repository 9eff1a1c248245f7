"""The file that says how many workers there are, changed so that the program still takes it."""

from __future__ import annotations

from oomlens.model.plan import FileFact
from oomlens.plan.settings_text import Found, find, put
from oomlens.plan.tasks.pools import Pool

# Apache's default of ThreadsPerChild, in its MPMs that have threads (httpd manual, mpm_common).
_APACHE_THREADS = 25
_THREADED = ("event", "worker")


def sections_of(text: str, pool: Pool) -> frozenset[str]:
    """The sections that set the number: php-fpm has one for each pool."""
    if not pool.form.sections:
        return frozenset({""})
    heads = [
        line.strip()[1:-1] for line in text.split("\n") if line.strip().startswith("[") and line.strip().endswith("]")
    ]
    return frozenset(head for head in heads if find(text, pool.key, pool.form, frozenset({head})) is not None)


def text_of(file: FileFact) -> str:
    """Its text; bytes that are not UTF-8 stay what they are."""
    return file.content.decode("utf-8", "surrogateescape")


def set_now(pool: Pool | None, file: FileFact | None) -> int | None:
    """The number that it says; None where that is computed, or not there."""
    return None if pool is None or file is None else _number(_found(text_of(file), pool.key, pool))


def per_process(pool: Pool | None, file: FileFact | None) -> int:
    """Workers in one process: threads, where the number counts those."""
    if pool is None or not pool.threads or file is None:
        return 1
    said = _number(_found(text_of(file), pool.threads, pool))
    named = any(word in file.path.rpartition("/")[2] for word in _THREADED)
    return said or (_APACHE_THREADS if named else 1)


def with_count(pool: Pool, file: FileFact, count: int) -> bytes | None:
    """The file with that number, and what must not be above it lowered too; None where several places say it."""
    text = text_of(file)
    sections = sections_of(text, pool)
    if len(sections) != 1:
        return None
    section = next(iter(sections))
    text = put(text, pool.key, str(count), pool.form, section, sections)
    for key in pool.not_above:
        now = _number(_found(text, key, pool))
        if now is not None and now > count:
            text = put(text, key, str(count), pool.form, section, sections)
    for key, value in pool.recycle:
        if _found(text, key, pool) is None:
            text = put(text, key, value, pool.form, section, sections)
    return text.encode("utf-8", "surrogateescape")


def _found(text: str, key: str, pool: Pool) -> Found | None:
    return find(text, key, pool.form, sections_of(text, pool))


def _number(found: Found | None) -> int | None:
    return int(found.value) if found is not None and found.value.isdecimal() else None
