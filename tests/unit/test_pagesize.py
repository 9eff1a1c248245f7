from __future__ import annotations

import pytest

from oomlens.kernel.pagesize import ARCHITECTURE, BUDDY, CONFLICT, NO_EVIDENCE, NODES, VICTIM, page_size_from


@pytest.mark.parametrize(("kb", "size"), [(4, 4096), (16, 16384), (64, 65536)])
def test_the_first_buddy_block_is_one_page(kb: int, size: int) -> None:
    assert page_size_from(buddy_first_block_kb=[kb, kb]) == (size, BUDDY)


def test_a_buddy_line_that_lost_its_head_tells_nothing() -> None:
    assert page_size_from(buddy_first_block_kb=[4, 8]) == (None, NO_EVIDENCE)
    assert page_size_from(buddy_first_block_kb=[2048]) == (None, NO_EVIDENCE)


def test_the_victims_virtual_size_in_kb_and_pages_tells() -> None:
    # corpus ml-zswap-ppc64le-612: total-vm:36544kB, total_vm 571.
    assert page_size_from(victim_total_vm_kb=36544, victim_total_vm_pages=571) == (65536, VICTIM)
    # corpus el8-varnish-journal-418: total-vm:11705436kB, total_vm 2926359.
    assert page_size_from(victim_total_vm_kb=11705436, victim_total_vm_pages=2926359) == (4096, VICTIM)


def test_a_victim_that_grew_by_some_pages_still_tells() -> None:
    assert page_size_from(victim_total_vm_kb=4040, victim_total_vm_pages=1000) == (4096, VICTIM)


def test_the_row_of_another_process_tells_nothing() -> None:
    assert page_size_from(victim_total_vm_kb=5000, victim_total_vm_pages=1000) == (None, NO_EVIDENCE)
    assert page_size_from(victim_total_vm_kb=4000, victim_total_vm_pages=0) == (None, NO_EVIDENCE)
    assert page_size_from(victim_total_vm_kb=4000) == (None, NO_EVIDENCE)


def test_node_lines_in_kb_and_global_counters_in_pages_tell() -> None:
    # corpus el8-varnish-journal-418: active_anon, inactive_anon, shmem.
    pairs = [(134528, 33632), (5310856, 1327714), (296928, 74232)]
    assert page_size_from(node_kb_and_pages=pairs) == (4096, NODES)


def test_small_counters_do_not_disturb() -> None:
    assert page_size_from(node_kb_and_pages=[(134528, 33632), (172, 86)]) == (4096, NODES)


def test_counters_of_some_nodes_only_tell_nothing() -> None:
    assert page_size_from(node_kb_and_pages=[(134528, 33632), (2655428, 1327714)]) == (None, NO_EVIDENCE)


def test_conflicting_evidence_gives_no_size() -> None:
    assert page_size_from(buddy_first_block_kb=[4], victim_total_vm_kb=36544, victim_total_vm_pages=571) == (
        None,
        CONFLICT,
    )


def test_agreeing_evidence_is_named_by_the_strongest() -> None:
    assert page_size_from(
        buddy_first_block_kb=[64], victim_total_vm_kb=36544, victim_total_vm_pages=571, texts=["x86_64"]
    ) == (65536, BUDDY)


@pytest.mark.parametrize(
    "text",
    [
        "3.10.0-693.el7.x86_64",
        "6.1.0-50-cloud-amd64",
        "4.9.0-3-686-pae",
        "2.6.32-696.el6.i686",
        "4.18.0-80.el8.s390x",
        "6.1.0-18-armmp",
        "5.10.0-26-riscv64",
        "RIP: 0033:0x7f2c3b1a",
        "EIP: 0x804a1b0",
        "entry_SYSCALL_64_after_hwframe+0x44/0xa9",
        "[<c010e5b4>] (unwind_backtrace) from [<c010a9a8>] (show_stack+0x10/0x14)",
        "Krnl PSW : 0704c00180000000",
    ],
)
def test_an_architecture_with_one_page_size_tells_as_a_last_resort(text: str) -> None:
    assert page_size_from(texts=["nothing here", text]) == (4096, ARCHITECTURE)


@pytest.mark.parametrize(
    "text",
    [
        "3.10.0-514.el7.ppc64le",
        "4.18.0-80.el8.aarch64",
        "5.4.0-120-generic",
        "6.6.0-mips64",
        "6.1.0-arm64",
        "STRIP: no",
        "",
    ],
)
def test_an_architecture_with_several_page_sizes_tells_nothing(text: str) -> None:
    assert page_size_from(texts=[text]) == (None, NO_EVIDENCE)
