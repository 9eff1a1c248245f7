"""Every key of the configuration, once: checker, schema, manual and `--show` are made from these rows."""

from __future__ import annotations

from typing import Any, NamedTuple

from oomlens.guard.config import kinds
from oomlens.guard.config.kinds import Kind
from oomlens.i18n import message

PRESETS = ("server", "desktop", "container-host", "kubernetes-node")
ROADS = ("exhaustion", "thrash", "harm")
RANKINGS = ("growth", "badness", "cgroup", "pressure")
OBJECTS = ("auto", "process", "cgroup", "unit", "container", "session")
EVENTS = ("started", "stopped", "reloaded", "reload-refused", "warned", "recovered", "stepped", "undone", "decided", "signalled",
          "gone", "stuck", "held-back", "kernel-killed", "failed")  # fmt: skip


class Field(NamedTuple):
    """group: the TOML table, "" for none. target: its key in the loop's table; "" where the launcher alone uses it.

    default: as people write it (preset server). scoped: each scope may have its own.
    """

    group: str
    key: str
    target: str
    kind: Kind
    default: Any
    about: str
    scoped: bool = False

    @property
    def id(self) -> tuple[str, str]:
        """Group and key."""
        return self.group, self.key


def _scoped(group: str, key: str, target: str, kind: Kind, default: Any, about: str) -> Field:
    return Field(group, key, target, kind, default, about, scoped=True)


FIELDS: tuple[Field, ...] = (
    Field("", "preset", "preset", kinds.words(PRESETS), "server", message("what everything else starts from")),
    Field("", "dry_run", "dry_run", kinds.FLAG, False, message("kill and change nothing; say what it would do")),
    Field("", "machine", "", kinds.FLAG, True, message("watch the whole machine, not only the scopes")),
    _scoped("", "roads", "roads", kinds.some(ROADS), list(ROADS), message("what it may act on; each needs several signs at once")),
    _scoped("memory", "warn", "warn", kinds.LEVEL, "20%, at most 2G", message("available memory: at this it warns")),
    _scoped("memory", "term", "term", kinds.LEVEL, "10%, at most 1G", message("available memory: at this it asks the victim to end (SIGTERM)")),
    _scoped("memory", "kill", "kill", kinds.LEVEL, "5%, at most 512M", message("available memory: at this it ends the victim at once (SIGKILL)")),
    _scoped("swap", "term", "swap_term", kinds.SHARE, "10%", message("free swap: SIGTERM only where it is this low too")),
    _scoped("swap", "kill", "swap_kill", kinds.SHARE, "5%", message("free swap: SIGKILL only where it is this low too")),
    _scoped("time", "warn", "warn_seconds", kinds.seconds(0, 86400), "30s",
            message("warns when memory would be gone within this at the measured rate")),
    _scoped("time", "react", "react_seconds", kinds.seconds(0, 60), "200ms",
            message("acts when the kill level would be reached within this at the measured rate")),
    _scoped("time", "grace", "grace_seconds", kinds.seconds(0, 600), "2s", message("from SIGTERM to SIGKILL")),
    _scoped("time", "cool", "cool_seconds", kinds.seconds(0, 600), "5s", message("the pause after a kill, while its memory comes back")),
    _scoped("time", "stuck", "stuck_seconds", kinds.seconds(1, 600), "10s", message("a victim that has not ended by then is passed over")),
    _scoped("thrash", "low", "thrash_low", kinds.LEVEL, "15%, at most 2G", message("available memory: thrashing counts only below this")),
    _scoped("thrash", "refaults", "thrash_refaults", kinds.RATE, 10, message("file pages that are read again soon after they were dropped")),
    _scoped("thrash", "stall", "thrash_stall", kinds.SHARE, "50%", message("time that programs wait for memory or the disk (PSI)")),
    _scoped("thrash", "for", "thrash_seconds", kinds.seconds(0.5, 600), "5s", message("all three must hold this long")),
    _scoped("harm", "cgroups", "harm_cgroups", kinds.CGROUPS, ["/system.slice/*", "/user.slice/*/session*"],
            message("cgroups whose standing still is harm")),
    _scoped("harm", "low", "harm_low", kinds.LEVEL, "25%, at most 4G", message("available memory: harm counts only below this")),
    _scoped("harm", "stall", "harm_stall", kinds.SHARE, "10%", message("time that such a cgroup waits for memory (PSI)")),
    _scoped("harm", "for", "harm_seconds", kinds.seconds(0.5, 600), "5s", message("both must hold this long")),
    _scoped("choose", "ranking", "ranking", kinds.words(RANKINGS), "growth",
            message("whom first: the growing one, the kernel's badness, the largest cgroup, or the one that causes the pressure")),
    _scoped("choose", "object", "object", kinds.words(OBJECTS), "auto",
            message("how much of it: one process, or the whole it belongs to; auto: a process, and the whole where memory.oom.group says so")),
    Field("notify", "desktop", "", kinds.FLAG, False, message("tell the users who are logged in on a desktop")),
    Field("notify", "webhook", "", kinds.URL, "", message("gets each event as JSON by POST")),
    Field("notify", "exec", "", kinds.ARGV, [], message("a program that gets each event as JSON on its standard input; no shell")),
    Field("notify", "journal", "journal", kinds.FLAG, True, message("write to the systemd journal, with fields")),
    Field("notify", "kmsg", "kmsg", kinds.FLAG, True, message("a line in the kernel's log for each signal")),
    Field("notify", "on", "tell_on", kinds.some(EVENTS), ["warned", "signalled", "gone", "stuck", "kernel-killed", "failed"],
            message("the events that desktop, webhook and exec get")),
    Field("log", "file", "log_file", kinds.PATH, "/var/log/oomlens/guard.jsonl", message('JSON lines; "" for none')),
    Field("log", "size", "log_bytes", kinds.SIZE, "8M", message("at this size it is renamed to .1, and a new one begins")),
    Field("log", "stdout", "log_stdout", kinds.FLAG, False, message("JSON lines on standard output")),
    Field("metrics", "file", "metrics_file", kinds.PATH, "", message('figures for the textfile collector of node_exporter; "" for none')),
    Field("process", "oom_score_adj", "oom_score_adj", kinds.whole(-1000, 1000, "number"), -900, message("of the guard itself")),
    Field("process", "nice", "nice", kinds.whole(-20, 19, "number"), -20, message("of the guard itself")),
    Field("process", "lock_memory", "lock_memory", kinds.FLAG, True, message("keep the guard's pages in memory")),
)  # fmt: skip

# What the groups are about, in the order in which they are shown.
GROUPS = {
    "": message("first of all"),
    "memory": message("how little available memory is too little"),
    "swap": message("and how little free swap; both must be low"),
    "time": message("when to warn and how long to wait"),
    "thrash": message("thrashing: low memory, pages read again and again, and waiting, all at once"),
    "harm": message("harm: what matters stands still while memory is low"),
    "choose": message("whom to end"),
    "notify": message("who is told"),
    "log": message("the guard's own log"),
    "metrics": message("figures for Prometheus"),
    "process": message("the guard's own process"),
}
BY_ID = {field.id: field for field in FIELDS}

# Keys of a rule: all that are given must match. `user` and `label` have their own readers.
RULE_KEYS: dict[str, tuple[Kind, str]] = {
    "name": (kinds.NAME, message("the process's name (comm, 15 bytes); anybody can choose it")),
    "cmdline": (kinds.GLOB, message("the command line; anybody can choose it")),
    "exe": (kinds.PATH_GLOB, message("the program's file; cannot be faked")),
    "unit": (kinds.UNIT, message("the systemd service or scope")),
    "cgroup": (kinds.PATH_GLOB, message("the cgroup's path")),
}
USER_ABOUT = message("the user, by name or number")
LABEL_ABOUT = message('a container\'s label: ["key", "pattern"]')
WHY_ABOUT = message("said in the log where the rule decides")
POINTS_ABOUT = message("how much: points of oom_score, 1000 are all memory")
NEVER_ABOUT = message("never end it")
POINTS = kinds.whole(1, 2000, "points")
DEFAULT_POINTS = 300
DEFAULT_HOOK = "10s"


class StepKey(NamedTuple):
    """target: its key in the loop's table. needed, allowed: the steps (`do`) that must or may have it."""

    key: str
    target: str
    kind: Kind
    needed: tuple[str, ...]
    allowed: tuple[str, ...]
    about: str


STEP_DOES = ("notify", "reclaim", "high", "freeze", "hook")
STEP_KEYS: tuple[StepKey, ...] = (
    StepKey("at", "at", kinds.words(("warn", "act")), STEP_DOES, STEP_DOES, message("when: with the warning, or before a kill")),
    StepKey("do", "do", kinds.words(STEP_DOES), STEP_DOES, STEP_DOES, message("what")),
    StepKey("cgroup", "cgroup", kinds.TEXT, (), ("reclaim", "high", "freeze"), message('"offender" (the default), or a cgroup\'s path')),
    StepKey("size", "kb", kinds.SIZE, ("reclaim",), ("reclaim",), message("how much to reclaim (memory.reclaim)")),
    StepKey("share", "fraction", kinds.SHARE, ("high",), ("high",), message("memory.high as a part of what it has now")),
    StepKey("for", "seconds", kinds.seconds(0.1, 600), ("freeze",), ("freeze", "hook"), message("freeze: how long; hook: its time limit (10s)")),
    StepKey("argv", "argv", kinds.ARGV, ("hook",), ("hook",), message("the program and its arguments; no shell")),
)  # fmt: skip
