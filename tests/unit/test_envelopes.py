"""Every log format reads its own samples, and layers nest."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomlens.decode import envelopes
from oomlens.decode.envelope import BlockEnvelope, Envelope, Sample
from oomlens.decode.envelopes import BLOCKS, ENVELOPES
from oomlens.decode.unwrap import records

SAMPLES = [
    pytest.param(one, sample, id=f"{one.name}-{number}")
    for one in ENVELOPES
    for number, sample in enumerate(one.samples)
]


@pytest.mark.parametrize(("envelope", "sample"), SAMPLES)
def test_a_sample_gives_what_it_holds(envelope: Envelope, sample: Sample) -> None:
    assert envelope.needle in sample.line
    assert envelope.unwrap(sample.line) == sample.expected


@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda one: one.name)
def test_every_envelope_has_samples_and_a_way_back(envelope: Envelope) -> None:
    assert envelope.samples
    assert envelope.rewrap is not None
    wrapped = envelope.rewrap("Mem-Info:", 3)
    (record,) = records(wrapped.encode())
    assert record.text == "Mem-Info:"


def test_the_lists_hold_every_file() -> None:
    folder = Path(envelopes.__file__).parent
    listed = {*ENVELOPES, *BLOCKS}
    for path in folder.glob("*.py"):
        if path.stem == "__init__":
            continue
        module = getattr(envelopes, path.stem)
        own = [value for value in vars(module).values() if isinstance(value, Envelope | BlockEnvelope)]
        assert own
        assert all(one in listed for one in own), path.stem


@pytest.mark.parametrize(
    ("line", "text", "envelope"),
    [
        (
            '{"log":"Feb  3 04:57:55 h kernel: [   12.500000] Mem-Info:\\n","stream":"stdout","time":"2026-02-03T04:21:46Z"}',
            "Mem-Info:",
            "json+syslog+dmesg",
        ),
        ("2026-02-03T04:21:46.000003000Z stdout F [   12.500000] Mem-Info:", "Mem-Info:", "cri+dmesg"),
        ("> > Feb  3 04:57:55 h kernel: [   12.500000] Mem-Info:", "Mem-Info:", "mail-quoted+syslog+dmesg"),
        ("<pre>[   12.500000] a &lt;b&gt;</pre>", "a <b>", "dmesg"),
        ("\x1b[33m[   12.500000]\x1b[0m Mem-Info:", "Mem-Info:", "dmesg"),
        ("Creating journal (131072 blocks): [   31.251333] mkfs.ext4 invoked", "mkfs.ext4 invoked", "dmesg"),
        ("* [   12.500000] Mem-Info:", "Mem-Info:", "bullet+dmesg"),
        ("kern  :err   : [   12.500000] Mem-Info:", "Mem-Info:", "dmesg-decoded+dmesg"),
        ("[   12.500000]  <TASK>", " <TASK>", "dmesg"),
    ],
)
def test_layers_nest(line: str, text: str, envelope: str) -> None:
    (record,) = records(line.encode())
    assert (record.text, record.envelope) == (text, envelope)


def test_a_record_knows_its_place() -> None:
    data = "[    1.000000] a\r\n[    2.000000] é\n[    3.000000] c".encode()
    places = [(record.line, record.first_byte, record.last_byte) for record in records(data, 100, 7)]
    assert places == [(7, 100, 118), (8, 118, 136), (9, 136, 152)]
    assert data[18:36] == "[    2.000000] é\n".encode()


def test_an_escaped_newline_is_several_records_of_one_line() -> None:
    found = records(b"6,1,2000000,-;anon 1\\x0afile 2")
    assert [(record.text, record.line, record.uptime_seconds) for record in found] == [
        ("anon 1", 1, 2.0),
        ("file 2", 1, 2.0),
    ]


def test_lost_line_breaks_are_found_by_stamps() -> None:
    found = records(b"[193038.106468] a: 1[193038.106478] b: 2[193038.106480] c: 3")
    assert [(record.text, record.uptime_seconds) for record in found] == [
        ("a: 1", 193038.106468),
        ("b: 2", 193038.106478),
        ("c: 3", 193038.10648),
    ]


def test_a_name_that_looks_like_a_stamp_does_not_split_a_line() -> None:
    (record,) = records(b"[   12.500000] Killed process 7 ([99.100000] x) total-vm:1kB")
    assert record.text == "Killed process 7 ([99.100000] x) total-vm:1kB"


@pytest.mark.parametrize(
    "line",
    ["12,9,1000,-;Out of memory", "<12>[   12.345678] Out of memory", "user  :warn  : [   12.345678] Out of memory"],
)
def test_what_user_space_wrote_to_the_ring_buffer_is_not_the_kernels(line: str) -> None:
    (record,) = records(line.encode())
    assert record.ident == "user"


def test_bytes_that_are_not_utf8_stay_visible() -> None:
    (record,) = records(b"[    1.000000] a\xff\xfeb")
    assert record.text == "a\\xff\\xfeb"


def test_utf16_is_read() -> None:
    (record,) = records("[    1.000000] Mem-Info:\n".encode("utf-16"))
    assert record.text == "Mem-Info:"


def test_lines_that_a_transport_cut_are_put_together() -> None:
    cri = (
        b"2026-02-03T04:21:46.000003000Z stdout P Out of memory: Killed pro\n"
        b"2026-02-03T04:21:46.000003000Z stdout F cess 7 (a) total-vm:8kB, anon-rss:4kB\n"
    )
    (record,) = records(cri)
    assert (record.text, record.line, record.last_line) == (
        "Out of memory: Killed process 7 (a) total-vm:8kB, anon-rss:4kB",
        1,
        2,
    )
    netconsole = b"6,416,1758426,-,ncfrag=0/24;the first chunk,\n6,416,1758426,-,ncfrag=16/24;the 2nd chunk.\n6,417,1758427,-;next\n"
    assert [record.text for record in records(netconsole)] == ["the first chunk,the 2nd chunk.", "next"]
