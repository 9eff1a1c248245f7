"""The swap planner: where, how large, kept how; every trap of it is a case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oomlens.kernel.swap_sizes import GIB, MIB, hibernation_size, zram_size
from oomlens.model.plan import FileFact, Lasts, Plan, Proposal, Refusal
from oomlens.plan.kinds.swap import propose, second_names
from oomlens.plan.swap.facts import Place, SwapFacts, SwapNow, SwapWish, Unit, ZramDevice, ZramFacts
from oomlens.plan.zram_generator import DROP_IN, with_section

TABLE = FileFact("/etc/fstab", b"/dev/sda1 / ext4 defaults 0 1\n")
PLACE = Place(
    "/swapfile", real_folder="/", file_system="ext4", source="/dev/sda1", mount_point="/", free_bytes=40 * GIB,
    total_bytes=50 * GIB,
)  # fmt: skip
FACTS = SwapFacts(ram_bytes=6 * GIB, available_bytes=2 * GIB, place=PLACE, fstab=TABLE, systemd=True, swappiness=60)
ON = SwapNow("/swapfile", "file", GIB - 4096, 0, -2, frozenset(("/swapfile",)), GIB)
OLD = replace(ON, name="/old", specs=frozenset(("/old",)))
ZRAM_ON = SwapNow("/dev/zram0", "partition", GIB, 0, 100, frozenset(("/dev/zram0",)))


def one(wish: SwapWish, facts: SwapFacts = FACTS) -> Proposal:
    (proposal,) = propose(wish, facts)
    return proposal


def planned(wish: SwapWish, facts: SwapFacts = FACTS) -> Plan:
    proposal = one(wish, facts)
    assert isinstance(proposal, Plan), proposal
    return proposal


def refused(wish: SwapWish, facts: SwapFacts = FACTS) -> Refusal:
    proposal = one(wish, facts)
    assert isinstance(proposal, Refusal), proposal
    return proposal


def on_place(**values: object) -> SwapFacts:
    return replace(FACTS, place=replace(PLACE, **values))  # type: ignore[arg-type]


def texts(plan: Plan) -> str:
    return "\n".join(warning.text for warning in plan.warnings)


def sizes(plan: Plan) -> dict[str, object]:
    return {term.name: term.value for term in plan.arithmetic}


def test_without_a_size_the_ram_decides_and_the_arithmetic_is_shown() -> None:
    plan = planned(SwapWish())
    assert [(step.action, step.lasts) for step in plan.steps] == [
        ("swap-file", Lasts.FOR_GOOD),
        ("swap-active", Lasts.FOR_GOOD),
        ("edit-file", Lasts.FOR_GOOD),
        ("run-program", Lasts.FOR_GOOD),
    ]
    assert plan.steps[0].parameters["size_bytes"] == 6 * GIB  # 2 to 8 GiB of RAM: as much again
    assert sizes(plan)["disk_room_bytes"] == 35 * GIB  # 40 GiB free less a tenth of 50
    assert (plan.cost_bytes, plan.cost_of) == (6 * GIB, "disk")
    assert plan.steps[2].diff[-1] == "+/swapfile none swap sw,nofail 0 0"
    assert plan.argv == ("swap",)
    assert ("free-bytes", "/swapfile", 11 * GIB) in plan.preconditions


def test_swap_that_is_there_counts_and_zram_does_not() -> None:
    two = replace(FACTS, swaps=(replace(OLD, file_bytes=2 * GIB), ZRAM_ON))
    assert planned(SwapWish(), two).steps[0].parameters["size_bytes"] == 4 * GIB
    enough = refused(SwapWish(), replace(FACTS, swaps=(replace(OLD, file_bytes=6 * GIB),)))
    assert enough.code == "enough"


def test_a_machine_that_hibernates_gets_more_and_is_told_where_the_image_goes() -> None:
    plan = planned(SwapWish(), replace(FACTS, hibernation=("resume=UUID=1",)))
    assert plan.steps[0].parameters["size_bytes"] == 12 * GIB  # 2 to 8 GiB of RAM: twice
    assert "hibernates" in texts(plan)
    assert [hibernation_size(ram * GIB) for ram in (2, 4, 64)] == [6 * GIB, 8 * GIB, 96 * GIB]
    assert hibernation_size(65 * GIB) is None


def test_a_shortage_is_covered_with_a_quarter_more() -> None:
    plan = planned(SwapWish(shortage_bytes=8 * GIB))
    assert plan.steps[0].parameters["size_bytes"] == 10 * GIB
    assert plan.argv == ("swap", "--shortage", "8G")


@pytest.mark.parametrize(
    ("free", "total", "size"),
    [
        (8 * GIB, 50 * GIB, 3 * GIB),  # 8 less the tenth that stays free
        (10 * GIB, 20 * GIB, 5 * GIB),  # half of what is free
        (100 * GIB, 4000 * GIB, 6 * GIB),  # a tenth would be 400 GiB: 10 GiB stay free at most
    ],
)
def test_a_size_that_nobody_asked_for_leaves_room_on_the_disk(free: int, total: int, size: int) -> None:
    plan = planned(SwapWish(), on_place(free_bytes=free, total_bytes=total))
    assert plan.steps[0].parameters["size_bytes"] == size


def test_a_full_disk_is_refused_with_the_most_that_fits() -> None:
    full = refused(SwapWish(), on_place(free_bytes=100 * MIB, total_bytes=2 * GIB))
    assert full.code == "disk-too-full"
    asked = refused(SwapWish(size_bytes=36 * GIB))
    assert asked.code == "disk-too-full"
    assert asked.hint is not None
    assert asked.hint.values == {"most": "35G"}
    assert planned(SwapWish(size_bytes=35 * GIB)).cost_bytes == 35 * GIB


def test_a_size_is_whole_mebibytes_and_not_nothing() -> None:
    assert planned(SwapWish(size_bytes=MIB + 1)).steps[0].parameters["size_bytes"] == 2 * MIB
    assert refused(SwapWish(size_bytes=0)).code == "too-small"


@pytest.mark.parametrize(
    ("file_system", "source", "code"),
    [
        ("tmpfs", "tmpfs", "file-system"),
        ("overlay", "overlay", "file-system"),
        ("zfs", "rpool/ROOT", "file-system"),
        ("nfs4", "server:/export", "file-system"),
        ("squashfs", "/dev/loop0", "file-system"),
        ("fuse.sshfs", "host:/", "file-system"),
        ("newnetfs", "host:/", "file-system"),
        ("bcachefs", "/dev/sdb", "file-system"),
    ],
)
def test_file_systems_that_cannot_hold_it_are_refused_with_what_to_do_instead(
    file_system: str, source: str, code: str
) -> None:
    refusal = refused(SwapWish(), on_place(file_system=file_system, source=source))
    assert refusal.code == code
    assert refusal.hint is not None
    elsewhere = replace(on_place(file_system=file_system, source=source), alternatives=("/data",))
    hint = refused(SwapWish(), elsewhere).hint
    assert hint is not None
    assert hint.values == {"path": "/data/swapfile"}


def test_an_unknown_local_file_system_is_tried() -> None:
    assert "is tried" in texts(planned(SwapWish(), on_place(file_system="newfs", source="/dev/sdc1")))


def test_btrfs_is_told_of_its_snapshots_unless_the_file_has_a_subvolume_of_its_own() -> None:
    assert "snapshot" in texts(planned(SwapWish(), on_place(file_system="btrfs")))
    assert "snapshot" not in texts(planned(SwapWish(), on_place(file_system="btrfs", own_subvolume=True)))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"present": "file"}, "exists"),
        ({"present": "folder"}, "exists"),
        ({"present": "link"}, "is-a-link"),
        ({"present": "unknown"}, "unreadable"),
        ({"folder_present": False}, "folder-missing"),
        ({"real_folder": "/mnt/disk"}, "through-a-link"),
        ({"loose_folder": "/tmp/x"}, "folder-not-ours"),
        ({"read_only": True}, "read-only"),
    ],
)
def test_what_is_at_the_path_is_never_touched_or_followed(values: dict[str, object], code: str) -> None:
    assert refused(SwapWish(size_bytes=GIB), on_place(**values)).code == code


@pytest.mark.parametrize("path", ["swapfile", "/a/../b", "/a\nb", "/a//b", "/x\x1b[31m", "/\udcff", "/a/"])
def test_paths_that_cannot_be_written_everywhere_are_refused(path: str) -> None:
    assert refused(SwapWish(path=path), on_place(path=path)).code == "path-unusable"


def test_a_blank_in_a_path_is_escaped_in_fstab_only() -> None:
    facts = on_place(path="/srv/my swap", real_folder="/srv")
    plan = planned(SwapWish(path="/srv/my swap", size_bytes=GIB), facts)
    assert plan.steps[1].target == "/srv/my swap"
    assert plan.steps[2].diff[-1] == "+/srv/my\\040swap none swap sw,nofail 0 0"


def test_a_swap_file_that_is_there_but_off_is_turned_on() -> None:
    facts = on_place(present="swap", present_bytes=GIB, present_mode=0o644)
    plan = planned(SwapWish(), facts)
    assert [step.action for step in plan.steps] == ["swap-active", "edit-file", "run-program"]
    assert "can be read by others" in texts(plan)
    assert refused(SwapWish(size_bytes=2 * GIB), facts).code == "exists-smaller"


def test_one_that_is_on_already_is_refused_or_only_kept() -> None:
    on = replace(FACTS, swaps=(ON,))
    assert [step.action for step in planned(SwapWish(), on).steps] == ["edit-file", "run-program"]
    kept = replace(on, fstab=FileFact("/etc/fstab", b"/swapfile none swap sw 0 0\n"))
    assert refused(SwapWish(), kept).code == "already"
    (edit, _reload) = planned(SwapWish(priority=5), kept).steps
    assert edit.diff[-2:] == ("-/swapfile none swap sw 0 0", "+/swapfile none swap sw,pri=5 0 0")


def test_a_line_of_fstab_that_is_there_is_changed_in_one_field_or_not_at_all() -> None:
    noauto = replace(FACTS, fstab=FileFact("/etc/fstab", b"/swapfile\tnone  swap noauto,discard 0 0 # mine\n"))
    edit = planned(SwapWish(priority=7), noauto).steps[2]
    assert edit.diff[-1] == "+/swapfile\tnone  swap discard,pri=7 0 0 # mine"
    same = replace(FACTS, fstab=FileFact("/etc/fstab", b"/swapfile none swap sw 0 0\n"))
    assert [step.action for step in planned(SwapWish(), same).steps] == ["swap-file", "swap-active"]
    other = replace(FACTS, fstab=FileFact("/etc/fstab", b"/swapfile /mnt ext4 loop 0 0\n"))
    assert refused(SwapWish(), other).code == "fstab-other"


def test_a_swap_unit_is_not_doubled_in_fstab() -> None:
    plan = planned(SwapWish(), replace(FACTS, units=(Unit("swapfile.swap", "/swapfile"),)))
    assert [step.action for step in plan.steps] == ["swap-file", "swap-active"]
    assert "swapfile.swap" in [warning.values.get("unit") for warning in plan.warnings]


def test_until_a_reboot_nothing_is_written_and_the_step_says_so() -> None:
    plan = planned(SwapWish(until_reboot=True))
    assert [(step.action, step.lasts) for step in plan.steps] == [
        ("swap-file", Lasts.FOR_GOOD),
        ("swap-active", Lasts.REBOOT),
    ]
    assert plan.argv == ("swap", "--until-reboot")


def test_an_fstab_that_cannot_be_read_stops_it_before_anything() -> None:
    facts = replace(FACTS, fstab=None, fstab_problem="Permission denied")
    assert refused(SwapWish(), facts).code == "fstab-unreadable"
    assert isinstance(one(SwapWish(until_reboot=True), facts), Plan)
    assert isinstance(one(SwapWish(), replace(FACTS, fstab=None)), Plan)  # there is none: it is made


@pytest.mark.parametrize("priority", [-1, 32768])
def test_a_priority_has_bounds(priority: int) -> None:
    assert refused(SwapWish(priority=priority)).code == "priority"


def test_a_disk_before_zram_is_warned_of() -> None:
    facts = replace(FACTS, swaps=(ZRAM_ON,))
    assert "used before the RAM" in texts(planned(SwapWish(priority=100), facts))
    assert "used before the RAM" not in texts(planned(SwapWish(priority=99), facts))


def test_cgroups_that_may_not_swap_and_swappiness_0_are_named() -> None:
    plan = planned(SwapWish(), replace(FACTS, unswappable=("/docker/abc",), swappiness=0))
    assert "may not swap" in texts(plan)
    assert "vm.swappiness is 0" in texts(plan)


def test_machines_on_which_nothing_can_be_done_say_why() -> None:
    assert refused(SwapWish(), replace(FACTS, live=False)).code == "not-live"
    assert refused(SwapWish(), replace(FACTS, swaps=None)).code == "no-swap-kernel"
    assert refused(SwapWish(), replace(FACTS, missing_programs=("mkswap",))).code == "program-missing"
    assert refused(SwapWish(), replace(FACTS, ram_bytes=None)).code == "ram-unknown"
    assert isinstance(one(SwapWish(size_bytes=GIB), replace(FACTS, ram_bytes=None)), Plan)


def test_growing_adds_the_difference_in_a_second_file() -> None:
    facts = replace(on_place(path="/swapfile2"), swaps=(ON,))
    plan = planned(SwapWish(grow="/swapfile", size_bytes=4 * GIB), facts)
    assert plan.steps[0].parameters == {"path": "/swapfile2", "present": True, "size_bytes": 3 * GIB}
    assert plan.remedy == "enlarge-swap"
    assert refused(SwapWish(grow="/swapfile", size_bytes=GIB), facts).code == "not-larger"
    assert refused(SwapWish(grow="/other", size_bytes=GIB), facts).code == "not-on"


def test_growing_without_a_size_goes_by_the_ram_or_by_half_of_what_is_there() -> None:
    facts = replace(on_place(path="/swapfile2"), swaps=(ON,))
    assert planned(SwapWish(grow=""), facts).steps[0].parameters["size_bytes"] == 5 * GIB
    ample = replace(facts, swaps=(replace(ON, size_bytes=8 * GIB - 4096, file_bytes=8 * GIB),))
    assert planned(SwapWish(grow=""), ample).steps[0].parameters["size_bytes"] == 4 * GIB
    none = replace(FACTS, swaps=())
    assert (
        planned(SwapWish(grow=""), none).steps[0].parameters["size_bytes"] == 6 * GIB
    )  # none to enlarge: one is added


def test_replacing_keeps_the_line_the_priority_and_ends_without_the_old_file() -> None:
    on = replace(ON, priority=3)
    table = FileFact("/etc/fstab", b"/swapfile none swap sw,pri=3 0 0\n")
    facts = replace(on_place(path="/swapfile2"), swaps=(on,), fstab=table)
    plan = planned(SwapWish(grow="/swapfile", size_bytes=4 * GIB, replace=True), facts)
    assert [step.action for step in plan.steps] == [
        "swap-file",
        "swap-active",
        "edit-file",
        "run-program",
        "swap-active",
        "swap-file",
    ]
    assert plan.steps[1].parameters["priority"] == 3
    assert plan.steps[2].diff[-1] == "+/swapfile2 none swap sw,pri=3 0 0"
    assert plan.steps[5].parameters == {"path": "/swapfile", "present": False, "size_bytes": GIB}
    device = replace(facts, swaps=(replace(on, kind="partition"),))
    assert refused(SwapWish(grow="/swapfile", size_bytes=4 * GIB, replace=True), device).code == "not-a-file"


def test_names_of_a_second_file() -> None:
    names = second_names(replace(ON, name="/srv/swap"))
    assert [next(names), next(names)] == ["/srv/swap2", "/srv/swap3"]
    assert (
        next(second_names(replace(ON, name="/swapfile2"))) == "/swapfile2"
    )  # taken, so the reader goes on to /swapfile3
    assert next(second_names(replace(ON, name="/dev/sda2", kind="partition"))) == "/swapfile"


def test_removing_needs_room_for_what_it_holds() -> None:
    held = replace(FACTS, swaps=(replace(ON, used_bytes=3 * GIB),))
    assert refused(SwapWish(remove="/swapfile"), held).code == "ram-too-full"
    assert refused(SwapWish(remove="/other"), held).code == "not-on"
    table = FileFact("/etc/fstab", b"# keep\nUUID=5 none swap sw 0 0\n/swapfile none swap sw 0 0")
    facts = replace(FACTS, swaps=(replace(ON, used_bytes=GIB),), fstab=table)
    plan = planned(SwapWish(remove="/swapfile"), facts)
    assert [step.action for step in plan.steps] == ["swap-active", "edit-file", "run-program", "swap-file"]
    assert plan.steps[1].diff[-1] == "-/swapfile none swap sw 0 0"
    assert "only swap" in texts(plan)
    assert ("ram-for-swapoff", "/swapfile", None) in plan.preconditions


def test_a_partition_is_found_in_fstab_by_its_uuid_and_only_turned_off() -> None:
    part = SwapNow("/dev/sda2", "partition", GIB, 0, -2, frozenset(("/dev/sda2", "UUID=5")))
    facts = replace(FACTS, swaps=(part,), fstab=FileFact("/etc/fstab", b"UUID=5 none swap sw 0 0\n"))
    plan = planned(SwapWish(remove="/dev/sda2"), facts)
    assert [step.action for step in plan.steps] == ["swap-active", "edit-file", "run-program"]
    by_unit = replace(facts, fstab=TABLE, units=(Unit("dev-sda2.swap", "/dev/sda2"),))
    assert [step.action for step in planned(SwapWish(remove="/dev/sda2"), by_unit).steps] == ["swap-active", "by-hand"]


def test_zram_is_half_of_the_ram_and_4_gib_at_most() -> None:
    assert [zram_size(ram) for ram in (GIB, 6 * GIB, 64 * GIB)] == [512 * MIB, 3 * GIB, 4 * GIB]
    free = replace(FACTS, zram=ZramFacts(devices=(ZramDevice("zram0", 0, ("lzo-rle", "zstd")),)))
    plan = planned(SwapWish(zram=True), free)
    assert [step.action for step in plan.steps] == [
        "zram-device",
        "swap-active",
        "edit-file",
        "run-program",
        "run-program",
    ]
    assert plan.steps[0].parameters == {
        "device": "zram0",
        "size_bytes": 3 * GIB,
        "algorithm": "zstd",
        "limit_bytes": None,
    }
    assert plan.steps[1].parameters["priority"] == 100
    assert "swappiness" in texts(plan)
    assert (plan.cost_bytes, plan.cost_of) == (3 * GIB, "ram")


def test_zram_takes_the_first_free_device_and_never_a_second_swap() -> None:
    devices = (ZramDevice("zram0", GIB), ZramDevice("zram1", 0))
    assert planned(SwapWish(zram=True), replace(FACTS, zram=ZramFacts(devices=devices))).target == "/dev/zram1"
    assert refused(SwapWish(zram=True), replace(FACTS, zram=ZramFacts(devices=devices[:1]))).code == "no-device"
    assert refused(SwapWish(zram=True), replace(FACTS, zram=ZramFacts(devices=()))).code == "no-device"
    assert refused(SwapWish(zram=True), replace(FACTS, zram=ZramFacts(loadable=False))).code == "no-zram"
    assert refused(SwapWish(zram=True), replace(FACTS, swaps=(ZRAM_ON,))).code == "already"
    assert refused(SwapWish(zram=True, size_bytes=13 * GIB)).code == "too-large"


def test_zram_warns_of_zswap_and_of_a_machine_that_forgets_it() -> None:
    plan = planned(SwapWish(zram=True, resident_limit_bytes=GIB), replace(FACTS, zswap=True, systemd=False))
    assert "zswap is on" in texts(plan)
    assert "Without systemd" in texts(plan)
    assert [(step.action, step.lasts) for step in plan.steps] == [
        ("zram-device", Lasts.REBOOT),
        ("swap-active", Lasts.REBOOT),
    ]
    assert plan.steps[0].parameters["limit_bytes"] == GIB
    assert plan.cost_bytes == GIB


def test_zram_generator_keeps_the_other_sections_of_its_file() -> None:
    file = FileFact(
        "/etc/systemd/zram-generator.conf",
        b"# mine\n[zram1]\nmount-point = /var/tmp\n\n[zram0]\n zram-size=512 \n\n[x]\n",
    )
    facts = replace(FACTS, zram=ZramFacts(generator=True, generator_file=file))
    edit, reload, on = planned(SwapWish(zram=True), facts).steps
    assert (
        edit.diff[-4:] == ("- zram-size=512 ", "+ zram-size=min(ram / 2, 4096) ", "+swap-priority = 100", " ")
        or edit.diff
    )
    assert reload.parameters["argv"] == ["systemctl", "daemon-reload"]
    assert on.parameters["on_argv"] == ["systemctl", "start", "dev-zram0.swap"]
    vendor = replace(FACTS, zram=ZramFacts(generator=True, generator_vendor=True))
    assert planned(SwapWish(zram=True), vendor).steps[0].target == DROP_IN


def test_a_section_is_changed_key_by_key() -> None:
    values = {"zram-size": "100", "swap-priority": "5"}
    assert with_section(b"", "zram0", values) == b"[zram0]\nzram-size = 100\nswap-priority = 5\n"
    assert with_section(b"[a]\nb=1", "zram0", {"x": "1"}) == b"[a]\nb=1\n\n[zram0]\nx = 1\n"
    before = b"[zram0]\r\n# zram-size=1\r\nzram-size =  7\r\n\r\n[b]\nzram-size=2\n"
    after = b"[zram0]\r\n# zram-size=1\r\nzram-size =  100\r\nswap-priority = 5\n\r\n[b]\nzram-size=2\n"
    assert with_section(before, "zram0", values) == after
    assert with_section(after, "zram0", values) == after
    assert with_section(b"[zram0]\nzram-size=7", "zram0", values) == b"[zram0]\nzram-size=100\nswap-priority = 5\n"
