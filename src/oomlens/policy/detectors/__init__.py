"""Detectors: should the guard act? One file a road; the first that answers decides."""

from __future__ import annotations

from oomlens.policy.detectors import exhaustion, harm, thrash

DETECTORS = (
    exhaustion,
    thrash,
    harm,
)
