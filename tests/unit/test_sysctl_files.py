"""sysctl.d: the file that wins at boot, as sysctl.d(5) and systemd order them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.model.plan import FileFact
from oomlens.plan import sysctl_files as files


def fact(path: str, content: str) -> FileFact:
    return FileFact(path, content.encode())


def test_all_folders_are_sorted_together_by_name() -> None:
    found = [
        fact("/usr/lib/sysctl.d/99-zz.conf", "vm.swappiness = 1\n"),
        fact("/etc/sysctl.d/99-custom.conf", "vm.swappiness = 10\n"),
        fact("/run/sysctl.d/10-a.conf", "vm.swappiness = 5\n"),
    ]
    assert [files.name_of(file.path) for file in files.in_order(found)] == ["10-a.conf", "99-custom.conf", "99-zz.conf"]
    winner = files.effective(files.in_order(found), "vm/swappiness")
    assert winner is not None
    assert (winner.path, winner.value) == ("/usr/lib/sysctl.d/99-zz.conf", "1")


def test_the_same_name_in_a_stronger_folder_hides_the_other_whole() -> None:
    found = [
        fact("/usr/lib/sysctl.d/50-a.conf", "vm.swappiness=1\nvm.max_map_count=70000\n"),
        fact("/etc/sysctl.d/50-a.conf", ""),
    ]
    assert files.effective(files.in_order(found), "vm/max_map_count") is None


def test_files_that_do_not_end_in_conf_do_not_count() -> None:
    assert (
        files.in_order(
            [fact("/etc/sysctl.d/README", "vm.swappiness=1\n"), fact("/etc/other/9.conf", "vm.swappiness=1\n")]
        )
        == ()
    )


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("vm.swappiness", "vm/swappiness"),
        ("vm/swappiness", "vm/swappiness"),
        ("/proc/sys/vm/swappiness", "vm/swappiness"),
        (" vm.swappiness ", "vm/swappiness"),
        (
            "net.ipv4.conf.eth0/1.rp_filter",
            "net/ipv4/conf/eth0.1/rp_filter",
        ),  # the example of sysctl.d(5), the other way round
        ("net/ipv4/conf/eth0.1/rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
    ],
)
def test_a_key_has_one_form(written: str, key: str) -> None:
    assert files.normalized(written) == key


def test_dashes_comments_blanks_and_globs_are_read_as_they_are_meant() -> None:
    file = fact(
        "/etc/sysctl.d/50-a.conf",
        "# vm.swappiness=1\n; vm.swappiness=2\n  -vm/swappiness =  30  \nnet.ipv4.conf.*.rp_filter=2\nno assignment\n-kernel.x\n",
    )
    first, second = files.settings(file)
    assert (first.key, first.value, first.ignore, first.number) == ("vm/swappiness", "30", True, 2)
    assert second.glob
    assert second.sets("net/ipv4/conf/eth0/rp_filter")


def test_an_explicit_setting_wins_over_a_later_pattern() -> None:
    found = [fact("/etc/sysctl.d/10.conf", "vm.swappiness=10\n"), fact("/etc/sysctl.d/20.conf", "vm.swap*=20\n")]
    winner = files.effective(files.in_order(found), "vm/swappiness")
    assert winner is not None
    assert winner.value == "10"


def test_one_value_changes_and_its_spacing_stays() -> None:
    file = fact("/etc/sysctl.d/90-oomlens.conf", "# mine\nvm.swappiness  =\t60 \nvm.max_map_count=70000")
    assert files.with_value(file, "vm/swappiness", "10") == b"# mine\nvm.swappiness  =\t10 \nvm.max_map_count=70000"
    assert files.with_value(file, "vm/panic_on_oom", "0") == file.content + b"\nvm.panic_on_oom = 0\n"


@pytest.mark.parametrize(
    ("last", "name"),
    [
        ([], "90-oomlens.conf"),
        (["50-a.conf"], "90-oomlens.conf"),
        (["99-custom.conf"], "99-oomlens.conf"),
        (["99-sysctl.conf"], "99-zz-oomlens.conf"),
        (["99-zzz.conf"], "zz-oomlens.conf"),
        (["zzz.conf", "10-a.conf"], "zzz_oomlens.conf"),
        (["é.conf"], "é_oomlens.conf"),
    ],
)
def test_the_name_of_a_new_file_sorts_after_all_that_set_the_key(last: list[str], name: str) -> None:
    assert files.later_name(last, "90-oomlens.conf") == name
    assert all(name.encode() > each.encode() for each in last)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1).map(lambda stem: f"{stem}.conf")
    )
)
def test_there_is_always_a_later_name(names: list[str]) -> None:
    assert all(files.later_name(names, "90-oomlens.conf").encode() > name.encode() for name in names)


def test_systemd_orders_the_same_files_the_same_way(tmp_path: Path) -> None:
    """The oracle: `systemd-analyze cat-config` prints the files that count, each under its name."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    written = {
        "/etc/sysctl.d/99-custom.conf": "vm.swappiness=10\n",
        "/etc/sysctl.d/50-hidden.conf": "",
        "/usr/lib/sysctl.d/50-hidden.conf": "vm.swappiness=1\n",
        "/usr/lib/sysctl.d/99-zz.conf": "vm.swappiness=20\n",
        "/run/sysctl.d/10-a.conf": "vm.swappiness=5\n",
        "/usr/local/lib/sysctl.d/60_b.conf": "vm.swappiness=6\n",
        "/usr/lib/sysctl.d/60-b.conf": "vm.swappiness=7\n",
        "/etc/sysctl.d/ignored.conf.bak": "vm.swappiness=8\n",
        "/usr/lib/sysctl.d/Z.conf": "vm.swappiness=9\n",
    }
    for path, content in written.items():
        place = tmp_path / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "cat-config", f"--root={tmp_path}", "sysctl.d"],
        capture_output=True, text=True, check=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0"},
    )  # fmt: skip
    shown = [
        line.removeprefix("# ").removeprefix(str(tmp_path))
        for line in done.stdout.splitlines()
        if re.match(r"# /", line)
    ]
    assert [file.path for file in files.in_order(fact(path, content) for path, content in written.items())] == shown
