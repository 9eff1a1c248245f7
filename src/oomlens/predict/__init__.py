"""Snapshot -> whom the kernel would kill next. Pure."""

from oomlens.predict.scopes import predict
from oomlens.predict.what_if import Change, WhatIfError, apply_changes, parse_change

__all__ = ["Change", "WhatIfError", "apply_changes", "parse_change", "predict"]
