"""What the planner of swap reads: the file system below a path, what is at it, fstab's names, units, hibernation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oomlens.host.read.mounts import mount_of, mounts_of
from oomlens.host.read.reader import Reader
from oomlens.host.read.swap_facts import read_swap_facts
from oomlens.kernel.proc_swaps import swaps_of
from oomlens.model.plan import Plan, Refusal
from oomlens.model.snapshot import Swap
from oomlens.plan.kinds.swap import propose
from oomlens.plan.swap.facts import SwapWish, ZramDevice
from support.plans import tree_bytes
from support.swap_machine import SwapMachine, swap_machine

MIB = 1 << 20
MOUNTINFO = """22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:50 / /srv rw - tmpfs tmpfs rw
31 22 0:51 / /srv/data rw,noatime shared:7 - xfs /dev/mapper/a rw
32 22 0:52 / /srv/my\\040disk rw - btrfs /dev/sdb rw,space_cache
33 22 8:2 / /mnt ro,relatime - ext4 /dev/sdc1 rw
34 22 0:60 / /net rw - nfs4 host:/x rw
35 22 0:61 / /srv/data rw - overlay overlay rw,lowerdir=a
not a mount
"""


@pytest.fixture
def machine(tmp_path: Path) -> SwapMachine:
    made = swap_machine(tmp_path / "root")
    (made.root / "proc/self").mkdir()
    (made.root / "proc/self/mountinfo").write_text(MOUNTINFO, encoding="utf-8")
    for name in ("srv/data", "srv/my disk", "mnt", "net"):
        (made.root / name).mkdir(parents=True)
    return made


def place_of(machine: SwapMachine, path: str) -> object:
    return read_swap_facts(SwapWish(path=path), Reader(machine.root)).place


@pytest.mark.parametrize(
    ("path", "file_system", "point"),
    [
        ("/swapfile", "ext4", "/"),
        ("/srv/swap", "tmpfs", "/srv"),
        ("/srv/data/swap", "overlay", "/srv/data"),  # mounted over the xfs
        ("/srv/my disk/swap", "btrfs", "/srv/my disk"),
        ("/net/swap", "nfs4", "/net"),
        ("/srvother", "ext4", "/"),
    ],
)
def test_a_path_is_on_the_mount_with_the_longest_point(path: str, file_system: str, point: str) -> None:
    mount = mount_of(path, mounts_of(MOUNTINFO))
    assert mount is not None
    assert (mount.file_system, mount.mount_point) == (file_system, point)


def test_the_file_system_is_that_of_the_folder_where_links_lead(machine: SwapMachine) -> None:
    (machine.root / "fast").symlink_to("srv/my disk")
    place = read_swap_facts(SwapWish(path="/fast/swap"), Reader(machine.root)).place
    assert (place.real_folder, place.file_system) == ("/srv/my disk", "btrfs")
    plain = read_swap_facts(SwapWish(path="/mnt/swap"), Reader(machine.root)).place
    assert (plain.real_folder, plain.read_only, plain.mount_point) == ("/mnt", True, "/mnt")
    assert read_swap_facts(SwapWish(path="/none/swap"), Reader(machine.root)).place.folder_present is False


def test_what_is_at_the_path_is_told_apart(machine: SwapMachine) -> None:
    (machine.root / "file").write_bytes(b"x" * 5000)
    (machine.root / "folder").mkdir()
    (machine.root / "link").symlink_to("file")
    os.mkfifo(machine.root / "pipe")
    (machine.root / "swap").write_bytes(bytes(MIB))
    machine.run(["mkswap", str(machine.root / "swap")])
    kinds = {
        name: getattr(place_of(machine, f"/{name}"), "present", None)
        for name in ("file", "folder", "link", "pipe", "swap", "x")
    }
    assert kinds == {"file": "file", "folder": "folder", "link": "link", "pipe": "other", "swap": "swap", "x": "absent"}


def test_a_folder_that_others_may_write_is_named_unless_it_is_sticky(machine: SwapMachine) -> None:
    open_folder = machine.root / "srv/open"
    (open_folder / "deep").mkdir(parents=True)
    open_folder.chmod(0o777)
    assert getattr(place_of(machine, "/srv/open/deep/swap"), "loose_folder", None) == "/srv/open"
    open_folder.chmod(0o1777)
    assert getattr(place_of(machine, "/srv/open/deep/swap"), "loose_folder", None) is None


def test_swaps_have_their_blanks_and_every_name_that_fstab_calls_them(machine: SwapMachine) -> None:
    swap = machine.root / "srv/my swap"
    swap.write_bytes(bytes(MIB))
    machine.run(["mkswap", str(swap)])
    machine.run(["swapon", str(swap)])
    (machine.root / "srv/alias").symlink_to("my swap")
    (machine.root / "etc/fstab").write_bytes(
        b"/srv/alias none swap sw 0 0\nUUID=01020304-0506-0708-090a-0b0c0d0e0f10 none swap sw 0 0\nLABEL=x none swap sw 0 0\n"
    )
    facts = read_swap_facts(SwapWish(), Reader(machine.root))
    assert facts.swaps is not None
    (found,) = facts.swaps
    assert (found.name, found.size_bytes, found.file_bytes) == ("/srv/my swap", MIB - 4096, MIB)
    assert found.specs == {"/srv/my swap", "/srv/alias", "UUID=01020304-0506-0708-090a-0b0c0d0e0f10"}
    assert facts.swap("/srv/alias") == found


def test_lines_of_proc_swaps_keep_their_columns() -> None:
    text = "Filename Type Size Used Priority\n/a\\040b\\134c file 10 2 -3\n/dev/dm-1   partition\t4 0 100\nbroken\n"
    assert swaps_of(text) == (Swap("/a b\\c", "file", 10240, 2048, -3), Swap("/dev/dm-1", "partition", 4096, 0, 100))


def test_hibernation_units_zram_and_alternatives_are_found(machine: SwapMachine) -> None:
    root = machine.root
    (root / "proc/cmdline").write_text("quiet resume=UUID=5 noresume2=x\n", encoding="ascii")
    for place, text in {
        "etc/systemd/logind.conf": "[Login]\n#HandleLidSwitch=hibernate\nHandleLidSwitch=suspend-then-hibernate\n",
        "etc/systemd/system/data-swap.swap": "[Swap]\nWhat = /data/swap\n",
        "usr/lib/systemd/system/data-swap.swap": "[Swap]\nWhat=/other\n",
        "sys/block/zram0/disksize": "0\n",
        "sys/block/zram0/comp_algorithm": "lzo [lz4] zstd\n",
        "sys/block/sda/size": "1\n",
        "etc/default/zramswap": "PERCENT=50\n",
    }.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text, encoding="ascii")
    (root / "sys/class/zram-control").mkdir(parents=True)
    facts = read_swap_facts(SwapWish(), Reader(root))
    assert facts.hibernation == ("resume=UUID=5", "/etc/systemd/logind.conf: HandleLidSwitch=suspend-then-hibernate")
    assert facts.units == (("data-swap.swap", "/data/swap"),)
    assert facts.zram.devices == (ZramDevice("zram0", 0, ("lz4", "lzo", "zstd")),)
    assert facts.zram.tools_file
    assert set(facts.alternatives) <= {"/", "/srv/my disk"}  # not tmpfs, read-only, nfs, or hidden by another mount


@pytest.mark.parametrize("line", ["resume=none", "noresume", "resume=0:0", "presume=x"])
def test_a_machine_that_does_not_resume_does_not_hibernate(line: str, machine: SwapMachine) -> None:
    (machine.root / "proc/cmdline").write_text(f"quiet {line}\n", encoding="ascii")
    assert read_swap_facts(SwapWish(), Reader(machine.root)).hibernation == ()


def test_a_second_file_gets_the_first_free_name(machine: SwapMachine) -> None:
    for name in ("srv/swap", "srv/swap2"):
        (machine.root / name).write_bytes(bytes(MIB))
    machine.run(["mkswap", str(machine.root / "srv/swap")])
    machine.run(["swapon", str(machine.root / "srv/swap")])
    assert read_swap_facts(SwapWish(grow=""), Reader(machine.root)).place.path == "/srv/swap3"
    assert read_swap_facts(SwapWish(grow="", path="/srv/x"), Reader(machine.root)).place.path == "/srv/x"


def test_cgroups_that_may_not_swap_are_found_in_both_versions(machine: SwapMachine) -> None:
    root = machine.root / "sys/fs/cgroup"
    for name, values in {
        "": {"cgroup.controllers": "memory"},
        "a": {"memory.max": "100", "memory.swap.max": "0"},
        "b": {"memory.max": "100", "memory.swap.max": "max"},
        "c": {"memory.max": "max", "memory.swap.max": "0"},
    }.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for file, value in values.items():
            (root / name / file).write_text(f"{value}\n", encoding="ascii")
    assert read_swap_facts(SwapWish(), Reader(machine.root)).unswappable == ("/a",)


def test_an_empty_machine_is_read_without_an_error(tmp_path: Path) -> None:
    facts = read_swap_facts(SwapWish(), Reader(tmp_path))
    assert (facts.swaps, facts.ram_bytes, facts.fstab, facts.units) == (None, None, None, ())
    (proposal,) = propose(SwapWish(), facts)
    assert isinstance(proposal, Refusal)
    assert proposal.code == "not-live"


def test_fstab_that_is_no_file_is_a_problem_and_not_an_empty_one(machine: SwapMachine) -> None:
    (machine.root / "etc/fstab").unlink()
    (machine.root / "etc/fstab").mkdir()
    facts = read_swap_facts(SwapWish(), Reader(machine.root))
    assert facts.fstab is None
    assert facts.fstab_problem


def test_fstab_that_is_a_link_is_somebody_else_s(machine: SwapMachine) -> None:
    (machine.root / "etc/fstab").rename(machine.root / "etc/generated")
    (machine.root / "etc/fstab").symlink_to("generated")
    assert read_swap_facts(SwapWish(), Reader(machine.root)).fstab_problem == "link"


def test_planning_changes_nothing(machine: SwapMachine) -> None:
    before = tree_bytes(machine.root)
    for wish in (SwapWish(), SwapWish(zram=True), SwapWish(grow=""), SwapWish(remove="/x")):
        for proposal in propose(wish, read_swap_facts(wish, Reader(machine.root))):
            assert isinstance(proposal, Plan | Refusal)
    assert tree_bytes(machine.root) == before
    assert machine.calls == []
