"""A whole machine between death and survival: a server in a throw-away VM, with swap that oomlens added in it, and without.

Needs a kernel lab (OOMLENS_LAB names its program: `lab run --kernel --scenario --payload --cmd --after --python`) and
minutes, so it runs only where that is set. OOMLENS_LAB_KERNELS: which kernels, such as 5.10,6.12.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import oomlens
from support.proof import proven

LAB = os.environ.get("OOMLENS_LAB", "")
pytestmark = [pytest.mark.live, pytest.mark.skipif(not LAB, reason="needs a kernel lab: OOMLENS_LAB=/path/to/lab")]
KERNELS = os.environ.get("OOMLENS_LAB_KERNELS", "6.1").split(",")
PROGRAMS = ("mkswap", "swapon", "swapoff", "chattr", "mkfs.ext4", "busybox")
SERVER = """# title: a server with too many workers
# cause: none
# timeout: 240000
# sample: 500
# usable: 96
mod lzo_rle lz4 zstd zram
touch /out/go
i=0
while [ ! -e /out/ready ] && [ $i -lt 4000 ]; do ms 50; i=$((i + 1)); done
spawn -l rsyslog -r bystander -n rsyslogd -u 105 -- hold --kb 1200 >/dev/null
spawn -l redis -r bystander -n redis-server -u 110 -- hold --mb 6 >/dev/null
spawn -W -l mysql -r bystander -n mysqld -u 27 -- hold --mb 30 >/dev/null
P=$(spawn -W -l phpfpm -r master -n php-fpm8.2 -u 33 -m "php-fpm: master process" -- pool --workers 30 --kb 2600 --spawn-us 20000)
ms 3000
"""
ENTER = """#!/bin/sh
export PATH=/payload/bin:$PATH LD_LIBRARY_PATH=/payload/lib PYTHONPATH=/payload/python
lens() { /usr/bin/python3 -m oomlens --lang en "$@"; }
"""
PREPARE = """#!/bin/sh
. /payload/enter.sh
set -e
mkfs.ext4 -q /dev/vda
mkdir -p /tmp/disk && busybox mount -t ext4 /dev/vda /tmp/disk
printf '/dev/vda / ext4 defaults 0 1' > /tmp/disk/fstab
{options}
"""
SWAP = "lens plan swap {kind} --out /out/plan.json && lens apply /out/plan.json --yes --state /tmp/disk/state"
FILE = "--path /tmp/disk/swapfile --size 96M --fstab /tmp/disk/fstab"
BACK = """#!/bin/sh
. /payload/enter.sh
cat /proc/swaps
lens rollback --state /tmp/disk/state
echo "rollback $?"
cat /proc/swaps /tmp/disk/fstab
ls /tmp/disk
"""


def payload(folder: Path, options: str) -> Path:
    """oomlens, what it needs of the site's packages, and the programs with their libraries."""
    made = folder / "payload"
    (made / "bin").mkdir(parents=True)
    (made / "lib").mkdir()
    package = Path(oomlens.__file__).parent
    shutil.copytree(package, made / "python/oomlens", ignore=shutil.ignore_patterns("__pycache__", "manual"))
    import orjson

    shutil.copytree(Path(orjson.__file__).parent, made / "python/orjson", ignore=shutil.ignore_patterns("__pycache__"))
    for name in PROGRAMS:
        program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if program is None:
            pytest.skip(f"{name} is not installed")
        shutil.copy(program, made / "bin" / name)
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"=> (/\S+)", listed):
            if not re.search(r"/(libc|ld-linux|libm|libpthread)[.-]", library):
                shutil.copy(library, made / "lib")
    for name, text in (("enter.sh", ENTER), ("prepare.sh", PREPARE.format(options=options)), ("back.sh", BACK)):
        (made / name).write_text(text, encoding="utf-8")
    return made


def run(folder: Path, kernel: str, options: str) -> tuple[Any, str, str]:
    """The truth record, and what was printed before and after."""
    folder.mkdir()
    scenario = folder / "server.sh"
    scenario.write_text(SERVER, encoding="utf-8")
    words = [
        LAB, "run", "--kernel", kernel, "--scenario", str(scenario), "--out", str(folder / "out"), "--python",
        "--payload", str(payload(folder, options)), "--cmd", "sh -c 'while [ ! -e /out/go ]; do sleep 0.1; done; sh /payload/prepare.sh; echo $? > /out/ready'",
        "--cmd-delay-ms", "1", "--after", "sh /payload/back.sh", "--timeout-ms", "240000",
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=900)
    truth = folder / "out/truth.json"
    assert truth.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    said = {name: (folder / "out/payload" / name).read_text(encoding="utf-8") for name in ("cmd.out", "cmd.err", "after.out", "after.err") if (folder / "out/payload" / name).exists()}  # fmt: skip
    return json.loads(truth.read_text(encoding="utf-8")), said.get("cmd.out", "") + said.get("cmd.err", ""), said.get("after.out", "") + said.get("after.err", "")  # fmt: skip


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("name", "kind"), [("a swap file on ext4", FILE), ("zram", "--zram --size 96M")])
def test_the_server_dies_survives_with_swap_and_dies_again(name: str, kind: str, kernel: str, tmp_path: Path) -> None:
    swap = SWAP.format(kind=kind)
    without, told, _ = run(tmp_path / "without", kernel, "true")
    assert without["outcome"] == "kill", told
    with_swap, told, after = run(tmp_path / "with", kernel, swap)
    assert "everything reads back as planned" in told, told
    assert with_swap["outcome"] == "none", told + after
    # The server still runs on it: taking it away would kill, so it is refused, and nothing is changed by half.
    assert "rollback 1" in after, after
    assert "of RAM are available to take them back" in after
    assert len(re.findall(r"^/(?:tmp/disk/swapfile|dev/zram0) ", after, re.MULTILINE)) >= 2
    back, told, _ = run(tmp_path / "back", kernel, f"{swap}\nlens rollback --state /tmp/disk/state")
    assert "everything is as it was" in told, told
    assert back["outcome"] == "kill", told
    remedy = "swap --zram" if "zram" in kind else "swap"
    what = f"a server of 30 workers: killed, survives with 96 MiB of {name}, killed after rollback"
    proven("swap-vm", remedy, "vm", what, kernel=str(without["kernel"]["release"]).split("-")[0])
