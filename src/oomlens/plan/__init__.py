"""A remedy as data: what would be changed, why, how it is undone. Pure."""
