"""Look first: where the kill is written down, and who holds memory now."""

from __future__ import annotations

from oomlens.diagnose.advice.context import Context
from oomlens.diagnose.advice.remedy import Remedy, note
from oomlens.i18n import message


def _find_oom_log(_c: Context) -> tuple[str, ...]:
    return (
        "oomlens scan",
        "oomlens diagnose",
        note("the same by hand"),
        "dmesg -T | grep -iE 'oom|out of memory|killed process'",
        "journalctl -k --grep 'oom|out of memory'",
        "grep -i oom /var/log/syslog /var/log/messages",
    )


def _watch_memory(c: Context) -> tuple[str, ...]:
    return (
        "free -h",
        "ps aux --sort=-%mem | head -11",
        "top -o %MEM",
        "cat /proc/meminfo",
        note("one process: resident, virtual and swapped memory"),
        f"grep -iE 'vmrss|vmsize|vmswap' /proc/{c.hog_pid}/status",
    )


def _find_leak(c: Context) -> tuple[str, ...]:
    return (
        note("every minute: time, RSS in kB"),
        f"while sleep 60; do date +%T; ps -o pid,rss,etime,args -C {c.shown_comm}; done",
        note("where it is: mappings that hold most"),
        f"sudo awk '/^[0-9a-f]+-/ {{n=$6}} /^Rss/ {{print $2, n}}' /proc/{c.hog_pid}/smaps | sort -nr | head",
    )


def _find_holder(_c: Context) -> tuple[str, ...]:
    return (
        "ps aux --sort=-%mem | head -11",
        "systemd-cgtop -m -n 1",
        "grep -E 'Shmem|Slab|SUnreclaim|PageTables|KernelStack|HugePages_Total' /proc/meminfo",
    )


def _inspect_slab(_c: Context) -> tuple[str, ...]:
    return (
        "slabtop -o -s c | head -20",
        "sudo cat /proc/slabinfo | awk 'NR>2 {print $3*$4/1048576 \" MiB\", $1}' | sort -nr | head",
        "cat /proc/sys/fs/file-nr /proc/sys/fs/inode-nr /proc/net/sockstat",
    )


def _inspect_unaccounted(_c: Context) -> tuple[str, ...]:
    return (
        "grep -E 'MemTotal|MemAvailable' /proc/meminfo",
        note("balloon: what the hypervisor has taken (virtio: kB)"),
        "cat /sys/bus/virtio/drivers/virtio_balloon/*/uevent 2>/dev/null; lsmod | grep -E 'balloon|vmmemctl'",
        note("ZFS"),
        "awk '/^size/ {print $3}' /proc/spl/kstat/zfs/arcstats",
        note("pages by owner, where the kernel was booted with page_owner=on"),
        "sudo cat /sys/kernel/debug/page_owner | head",
    )


def _inspect_page_tables(c: Context) -> tuple[str, ...]:
    return (
        "grep -H VmPTE /proc/[0-9]*/status 2>/dev/null | sort -k2 -nr | head",
        f"ps -o pid,vsz,rss,args -p {c.hog_pid}",
    )


REMEDIES = (
    Remedy(
        "find-oom-log",
        message("Read all kills on this machine"),
        message("List every kill that the logs still hold, and one of them whole."),
        "safe",
        _find_oom_log,
    ),
    Remedy(
        "watch-memory",
        message("Watch memory"),
        message("Who holds how much now, and how it grows."),
        "safe",
        _watch_memory,
    ),
    Remedy(
        "find-leak",
        message("Find what grows"),
        message(
            "Sample the same process over time: a leak grows without a ceiling, a load follows its work."
            " Raising a limit only makes the interval between kills longer."
        ),
        "safe",
        _find_leak,
    ),
    Remedy(
        "find-holder",
        message("Find who holds the memory"),
        message(
            "The victim did not hold it: look for the process, the group of processes or the kernel memory that does."
        ),
        "safe",
        _find_holder,
    ),
    Remedy(
        "inspect-slab",
        message("Find the kernel cache that grows"),
        message(
            "Which kernel objects grow, sorted by size; then what makes them: open files, sockets, inodes, a driver."
        ),
        "safe",
        _inspect_slab,
    ),
    Remedy(
        "inspect-unaccounted",
        message("Find memory that no counter shows"),
        message("Balloon and hypervisor first, then ZFS, GPU and network drivers, pipes."),
        "safe",
        _inspect_unaccounted,
    ),
    Remedy(
        "inspect-page-tables",
        message("Find whose page tables they are"),
        message("Processes with the largest page tables; many that map the same large memory each have their own."),
        "safe",
        _inspect_page_tables,
    ),
)
