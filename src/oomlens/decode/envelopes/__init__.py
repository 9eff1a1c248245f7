"""The log formats; an envelope is listed where its first character says it may begin."""

from __future__ import annotations

from oomlens.decode.envelope import BlockEnvelope, Envelope
from oomlens.decode.envelopes import android, blocks, container, dmesg_time, json_line, kernel_stamp, kmsg, syslog

# In the order in which they are tried: the stricter first.
ENVELOPES: tuple[Envelope, ...] = (
    kernel_stamp.ENVELOPE,
    dmesg_time.DELTA,
    dmesg_time.HUMAN,
    json_line.ENVELOPE,
    json_line.GCP,
    kmsg.ENVELOPE,
    container.CRI,
    syslog.RFC5424,
    syslog.LOGREAD,
    syslog.RFC3164,
    syslog.ISO,
    syslog.UNIX,
    dmesg_time.ISO,
    dmesg_time.DECODED,
    android.ENVELOPE,
    container.TALOS,
    container.RUNNER,
    syslog.CAT,
    container.COMPOSE,
)

BLOCKS: tuple[BlockEnvelope, ...] = (
    blocks.EXPORT,
    blocks.JSON_BLOCK,
)
