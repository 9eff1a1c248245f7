"""Message catalogues: gettext `.po` files, compiled `.mo` beside them. English is in the code."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

Translate = Callable[[str], str]
LANGUAGES = ("en", "ja")


def message(text: str) -> str:
    """Marks a text for the catalogues where it is written as data; it is translated where it is shown."""
    return text


def english(message: str) -> str:
    """The source language needs no catalogue."""
    return message


def translator(language: str) -> Translate:
    """The translation function of a language; unknown languages are English."""
    if language != "ja":
        return english
    import gettext

    with (resources.files("oomlens.i18n") / "ja" / "LC_MESSAGES" / "oomlens.mo").open("rb") as catalogue:
        return gettext.GNUTranslations(catalogue).gettext


def language_of(*settings: str | None) -> str:
    """The language that the first of these says (a --lang option, then LC_ALL, LC_MESSAGES, LANG)."""
    for setting in settings:
        if setting:
            return "ja" if setting.lower().startswith("ja") else "en"
    return "en"
