"""The guard's configuration: TOML to a flat, checked table."""
