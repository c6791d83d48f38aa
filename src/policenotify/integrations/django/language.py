"""Texts in the language of the project's user."""

from __future__ import annotations

from django.utils.functional import lazy
from django.utils.translation import get_language

from policenotify.translation import word_in


def say(text: object) -> str:
    """Return a text of policenotify in the language that Django has activated, as far as there is one."""
    return word_in(text, get_language() or "en")


say_later = lazy(say, str)
"""The same for a text that is written when the language is not known yet: a label, the name of a model."""
