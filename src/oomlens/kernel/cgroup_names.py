from oomlens.model.report import CgroupNames


def names_of(path: str) -> CgroupNames:
    return CgroupNames(path)
