"""Texts in the language of the project's user."""

from __future__ import annotations

import threading
from functools import cache

from django.utils.functional import lazy
from django.utils.translation import get_language

from policenotify.catalogue.catalogue import Catalogue, catalogue_of

_catalogue = cache(catalogue_of)
_translating = threading.Lock()  # a catalogue remembers what it has found in the text at hand


def say(text: object) -> str:
    """Return a text of policenotify in the language that Django has activated, as far as there is one."""
    catalogue: Catalogue | None = _catalogue(get_language() or "en")
    if catalogue is None:
        return str(text)
    with _translating:
        return catalogue.translate(str(text))


say_later = lazy(say, str)
"""The same for a text that is written when the language is not known yet: a label, the name of a model."""
