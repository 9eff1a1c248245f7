"""Swap: where it can be, how large, how it is kept, and how it is taken away. Pure."""
