"""oomlens: find, decode and explain every Linux out-of-memory kill."""

__version__ = "0.1.0"
