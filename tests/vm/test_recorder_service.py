"""The recorder as a hardened service of a real systemd: it starts, sees kills of a unit and of the machine, comes back, and goes without a trace.

Runs where OOMLENS_SYSTEMD names Debian suites (see support/systemd_vm.py); a suite takes minutes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.systemd_vm import Guest, guest, suites

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(not suites(), reason="needs minutes and QEMU: OOMLENS_SYSTEMD=bookworm"),
]
TREE = "find /etc/systemd -printf '%p %l %m\\n' | sort; find /etc/systemd -type f -exec sha256sum {} + | sort"
GROW = "import sys, time\nheld = []\nwhile True: held.append(bytearray(int(sys.argv[1]) << 20)); time.sleep(0.3)\n"
MAIN = "systemctl show -p MainPID --value oomlens-record"


@pytest.fixture(scope="module", params=suites())
def vm(request: pytest.FixtureRequest) -> Iterator[Guest]:
    with guest(str(request.param)) as machine:
        machine.write("/usr/local/lib/grow.py", GROW)
        yield machine


def held(vm: Guest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(vm.run("oomlens record show --format json").out)
    return found


def killed(vm: Guest, unit: str, mib: int, *properties: str) -> None:
    """A unit that grows until the kernel kills it."""
    asked = " ".join(f"-p {one}" for one in ("OOMScoreAdjust=0", *properties))
    vm.run(f"systemd-run --wait -q --unit={unit} {asked} python3 /usr/local/lib/grow.py {mib}", code=None, seconds=600)


def test_the_service_records_kills_comes_back_and_leaves_no_trace(vm: Guest) -> None:
    before = vm.run(TREE).out
    vm.lens("record", "--install", "--yes")
    vm.wait_for("ls /var/lib/oomlens/history | grep -c oomh", "1", seconds=180)
    first = vm.run(MAIN).out.strip()
    status = vm.text(f"/proc/{first}/status")
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "CapBnd:\t0000000400080000" in status  # CAP_SYSLOG, CAP_SYS_PTRACE
    assert vm.text(f"/proc/{first}/oom_score_adj") == "-500"

    killed(vm, "leaky", 1, "MemoryMax=60M", "MemorySwapMax=0")
    killed(vm, "hog", 6)
    vm.wait_for('oomlens record show --format json | grep -c \'"seen_by": *"kmsg"\'', "2", seconds=120)
    kills = held(vm)["kills"]
    assert [kill["report"]["scope"] for kill in kills] == ["memcg", "global"]
    assert kills[0]["report"]["oom_memcg"] == "/system.slice/leaky.service"
    assert all(kill["before_seconds"] is not None for kill in kills)
    told = vm.lens("diagnose", "--incident", kills[1]["report"]["id"])
    assert "Before it happened" in told
    # The machine was out of memory, and the recorder went on.
    assert vm.run(MAIN).out.strip() == first
    assert "VmLck:\t       0 kB" not in vm.text(f"/proc/{first}/status")

    vm.run("systemctl kill -s KILL oomlens-record")
    vm.wait_for("ls /var/lib/oomlens/history | grep -c oomh", "2", seconds=240)
    assert held(vm)["files"][0]["damage"] in (None, "cut-short")
    assert len(held(vm)["kills"]) == 2

    vm.lens("record", "--uninstall", "--yes")
    assert vm.run("systemctl is-active oomlens-record", code=None).out.strip() == "inactive"
    assert vm.run(TREE).out == before
    assert held(vm)["samples"] > 2  # the history stays
