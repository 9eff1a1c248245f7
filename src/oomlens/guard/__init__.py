"""The guard: acts before the kernel has to."""
