def page_size_from(
    *,
    total_vm_kb: int | None = None,
    total_vm_pages: int | None = None,
    block_bytes: int | None = None,
    release: str | None = None,
) -> tuple[int | None, str]:
    if block_bytes:
        return block_bytes, "block"
    if total_vm_kb and total_vm_pages:
        r = round(total_vm_kb * 1024 / total_vm_pages)
        for s in (4096, 8192, 16384, 65536):
            if abs(r - s) < s // 8:
                return s, "ratio"
    return None, "unknown"
