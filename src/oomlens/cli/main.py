"""The command `oomlens`: parse, call, print, exit code."""


def main() -> int:
    """Entry point; returns the exit code."""
    return 0
