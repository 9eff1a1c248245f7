"""Incident -> findings: why it happened, by rules that answer found, ruled out or undecided."""
