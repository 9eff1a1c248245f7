"""The parts of `oomlens record`: reading a history, and the service."""
