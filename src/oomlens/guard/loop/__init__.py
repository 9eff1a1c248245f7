"""The small process that watches and acts; it imports next to nothing."""
