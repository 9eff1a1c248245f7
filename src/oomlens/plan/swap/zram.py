"""Compressed RAM as swap: by zram-generator where it is installed, else a device of our own and a unit that sets it up at boot.

Sources: Documentation/admin-guide/blockdev/zram.rst, zram-generator.conf(5), Documentation/admin-guide/sysctl/vm.rst (swappiness).
"""

from __future__ import annotations

from oomlens.i18n import message
from oomlens.kernel.swap_sizes import MIB, zram_size
from oomlens.model.finding import Evidence
from oomlens.model.plan import Check, Effect, FileFact, Plan, Proposal, Refusal, Step, Text, Watch
from oomlens.plan import zram_generator
from oomlens.plan.actions.edit_file import edit_file
from oomlens.plan.actions.run_program import run_program
from oomlens.plan.actions.swap_active import off_arguments, on_arguments, swap_on
from oomlens.plan.actions.zram_device import lines, zram_device
from oomlens.plan.assemble import make_plan
from oomlens.plan.swap.add import ROOT, argv_of, lasting
from oomlens.plan.swap.facts import KIND, SwapFacts, SwapWish, Values, ZramDevice
from oomlens.plan.swap.place import machine_problem, machine_warnings, refusal

# Above disk swap, as zram-generator does it.
_PRIORITY = 100
_FIRST = "zram0"
_SERVICE = "oomlens-zram.service"
_UNIT = f"/etc/systemd/system/{_SERVICE}"
_RELOAD = ("systemctl", "daemon-reload")


def zram(wish: SwapWish, facts: SwapFacts) -> Proposal:
    """The plan; or why there is none."""
    problem = machine_problem(facts) or _device_problem(facts)
    if problem is not None:
        return problem
    sized = _sized(wish, facts)
    if isinstance(sized, Refusal):
        return sized
    size, arithmetic = sized
    priority = _PRIORITY if wish.priority is None else wish.priority
    by_generator = facts.zram.generator and facts.systemd and not wish.until_reboot
    steps = _by_generator(wish, facts, size, priority) if by_generator else _by_device(wish, facts, size, priority)
    title = Text(message("Add {size_bytes} of swap in compressed RAM"), {"size_bytes": size})
    return make_plan(
        Plan(
            KIND, "add-zram", f"/dev/{_device(facts).name}", title, steps,
            argv=argv_of(wish, path=False), arithmetic=arithmetic, cost_bytes=wish.resident_limit_bytes or size, cost_of="ram",
            preconditions=(*ROOT, *(() if by_generator else (Check("program", "mkswap", "util-linux"),))),
            warnings=_warnings(wish, facts), watch=Watch(machine=True),
        )
    )  # fmt: skip


def _device(facts: SwapFacts) -> ZramDevice:
    """The device to set up: the first one that is free; the module makes zram0 when it is loaded."""
    devices = facts.zram.devices
    free = next((device for device in devices or () if device.disk_bytes == 0), None)
    return free or ZramDevice(_FIRST, 0)


def _device_problem(facts: SwapFacts) -> Refusal | None:
    devices = facts.zram.devices
    on = next((swap for swap in facts.swaps or () if swap.zram), None)
    if on is not None:
        text = message("{swap} is on already, with {existing_bytes} of compressed RAM; a second one only divides it.")
        hint = Text(message("For another size remove it first: oomlens plan swap --remove {swap}"), {"swap": on.name})
        values: Values = {"swap": on.name, "existing_bytes": on.size_bytes}
        return refusal("already", on.name, text, values, hint)
    if devices and all(device.disk_bytes for device in devices):
        text = message("All zram devices are in use: {devices}.")
        hint = Text(message("Free one (zramctl shows what it is used for), or add a swap file: oomlens plan swap"))
        return refusal("no-device", f"/dev/{_FIRST}", text, {"devices": ", ".join(each.name for each in devices)}, hint)
    if devices == ():
        text = message("zram is loaded, but has no device.")
        hint = Text(message("Make one (reading that file does): sudo cat /sys/class/zram-control/hot_add"))
        return refusal("no-device", f"/dev/{_FIRST}", text, {}, hint)
    if devices is None and facts.zram.loadable is False:
        text = message("This kernel has no zram: neither built in nor as a module.")
        hint = Text(message("Install the kernel's extra modules, or add a swap file: oomlens plan swap"))
        return refusal("no-zram", f"/dev/{_FIRST}", text, {}, hint)
    return None


def _sized(wish: SwapWish, facts: SwapFacts) -> tuple[int, tuple[Evidence, ...]] | Refusal:
    ram = facts.ram_bytes
    if wish.size_bytes is not None:
        size = -(-wish.size_bytes // MIB) * MIB
        shown = Evidence("size_bytes", size, "bytes", f"asked for: {size}")
        if size < MIB:
            text = message("{size_bytes} is less than a swap can be: 1 MiB at least.")
            return refusal("too-small", f"/dev/{_FIRST}", text, {"size_bytes": size})
        if ram is not None and size > 2 * ram:
            text = message(
                "{size_bytes} of compressed RAM is more than twice the RAM ({ram_bytes}); memory rarely compresses that well."
            )
            hint = Text(message("Half of the RAM is usual; leave --size out."))
            return refusal("too-large", f"/dev/{_FIRST}", text, {"size_bytes": size, "ram_bytes": ram}, hint)
    elif ram is None:
        return refusal("ram-unknown", f"/dev/{_FIRST}", message("How much RAM this machine has could not be read."), {})
    else:
        size = zram_size(ram)
        shown = Evidence("size_bytes", size, "bytes", f"min(ram_bytes {ram} / 2, 4096 MiB) = {size}")
    typical = size // 3
    filled = Evidence(
        "ram_when_full_bytes", typical, "bytes", f"size {size} / 3, as text and heaps compress; never above it"
    )
    return size, (shown, filled)


def _by_generator(wish: SwapWish, facts: SwapFacts, size: int, priority: int) -> tuple[Step, ...]:
    name = _device(facts).name
    wanted = "min(ram / 2, 4096)" if wish.size_bytes is None else str(size // MIB)
    keys = {"zram-size": wanted, "swap-priority": str(priority)}
    if wish.resident_limit_bytes is not None:
        keys["zram-resident-limit"] = str(-(-wish.resident_limit_bytes // MIB))
    file = facts.zram.generator_file
    # A file of the same name in /etc would hide the distribution's.
    path = zram_generator.DROP_IN if file is None and facts.zram.generator_vendor else zram_generator.PATH
    before = file if path == zram_generator.PATH else None
    content = zram_generator.with_section(before.content if before is not None else b"", name, keys)
    title = Text(
        message("Ask zram-generator for it: section {section} of {file}"), {"section": f"[{name}]", "file": path}
    )
    units = (f"dev-{name}.swap", f"systemd-zram-setup@{name}.service")
    return (
        *((edit_file(path, before, content, title, effect=Effect.REBOOT),) if before is None or before.content != content else ()),
        _reload(),
        lasting(
            swap_on(
                f"/dev/{name}", Text(message("Set the device up and turn it on")),
                on_argv=("systemctl", "start", units[0]), off_argv=("systemctl", "stop", *units),
            )
        ),
    )  # fmt: skip


def _by_device(wish: SwapWish, facts: SwapFacts, size: int, priority: int) -> tuple[Step, ...]:
    device = _device(facts)
    values: Values = {"size_bytes": size, "device": f"/dev/{device.name}"}
    made = zram_device(
        device.name, size, Text(message("Set {device} up with {size_bytes}"), values),
        algorithm="zstd" if "zstd" in device.algorithms else None, limit_bytes=wish.resident_limit_bytes,
    )  # fmt: skip
    on = swap_on(made.target, Text(message("Turn it on, before all disk swap")), priority=priority)
    kept = facts.systemd and not wish.until_reboot
    return (lasting(made, kept=kept), lasting(on, kept=kept), *(_unit(made, on) if kept else ()))


def _unit(made: Step, on: Step) -> tuple[Step, ...]:
    """The unit that does the same at boot."""
    content = unit_text(made, on)
    fact: FileFact | None = None
    path = Text(message("Set it up at boot: a unit of its own, {file}"), {"file": _UNIT})
    enabled = run_program(
        ("systemctl", "enable", _SERVICE), Text(message("Enable the unit {unit}"), {"unit": _SERVICE}), target=_SERVICE,
        undo_argv=("systemctl", "disable", _SERVICE), probe_argv=("systemctl", "is-enabled", _SERVICE), after="enabled",
        effect=Effect.REBOOT,
    )  # fmt: skip
    return (edit_file(_UNIT, fact, content, path, effect=Effect.REBOOT), _reload(), enabled)


def unit_text(made: Step, on: Step) -> bytes:
    """The unit's text: the same lines as the steps', in /bin/sh; nothing where the device is set up already."""
    device = made.parameters["device"]
    size_file = f"/sys/block/{device}/disksize"
    lines_of_start = [
        f'test "$(cat {size_file} 2>/dev/null || echo 0)" = 0 || exit 0',
        *lines(made, "", ""),
        " ".join(on_arguments(on, on.target, on.parameters["priority"])),
    ]
    start = "; ".join(line.replace("%", "%%").replace("$", "$$") for line in lines_of_start)
    stop = f"{' '.join(off_arguments(on, on.target))} && echo 1 > /sys/block/{device}/reset"
    return f"""# Made by oomlens; `oomlens rollback` takes it away.
[Unit]
Description=Swap in compressed RAM ({device})
DefaultDependencies=no
After=systemd-modules-load.service
Before=swap.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec '{start}'
ExecStop=/bin/sh -ec '{stop}'

[Install]
WantedBy=swap.target
""".encode()


def _reload() -> Step:
    return run_program(_RELOAD, Text(message("Let systemd read its units again")), target="systemd", undo_argv=_RELOAD)


def _warnings(wish: SwapWish, facts: SwapFacts) -> tuple[Text, ...]:
    found = list(machine_warnings(facts))
    if facts.swappiness is None or 0 < facts.swappiness < _PRIORITY:
        text = message(
            "With compressed RAM a higher vm.swappiness is better (100 to 180): oomlens plan sysctl vm.swappiness=150"
        )
        found.append(Text(text))
    if facts.zswap:
        text = message(
            "zswap is on: pages would be compressed twice. Turn one of them off: echo N | sudo tee /sys/module/zswap/parameters/enabled"
        )
        found.append(Text(text))
    if facts.zram.tools_file:
        found.append(
            Text(
                message(
                    "zram-tools is installed too (/etc/default/zramswap) and may set up a device of its own at boot."
                )
            )
        )
    if not facts.systemd and not wish.until_reboot:
        found.append(Text(message("Without systemd nothing sets it up at boot: it lasts until a reboot.")))
    if facts.hibernation:
        found.append(
            Text(
                message("A machine cannot hibernate into compressed RAM ({setting})."),
                {"setting": facts.hibernation[0]},
            )
        )
    found.append(
        Text(
            message("Its size is what goes in, not what it takes: what does not compress takes as much RAM as before.")
        )
    )
    return tuple(found)
