"""Random mixes of processes of which the kernel has to kill one: drawn, run for real, and judged.

`draw` says what a mix is, `worker` is one process of it, `engine` runs it (needs root, the standard library and oomlens alone,
so it also runs in a virtual machine), `judge` compares what was predicted with what the kernel's own log says.
"""
