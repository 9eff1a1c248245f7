def decode_gfp(mask: int, printed: str | None, release: str | None) -> tuple[str, ...] | None:
    return None
