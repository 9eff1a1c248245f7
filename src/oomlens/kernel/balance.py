from oomlens.model.report import Memory, Share


def balance(memory: Memory) -> tuple[Share, ...] | None:
    return None
