"""The flight recorder: a small bounded history of memory."""
