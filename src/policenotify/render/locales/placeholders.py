"""Which names in braces each phrase of a language must and may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from types import MappingProxyType
from typing import Final

from policenotify.render.locales.en import EN
from policenotify.render.locales.fr import FR
from policenotify.render.locales.phrases import Phrase
from policenotify.validation import did_you_mean

# What the shipped languages hold must stand in all others, but for this; and this may stand there as well.
_MAY_BE_LEFT_OUT: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "day": frozenset({"weekday"}),
        "day_and_year": frozenset({"weekday"}),
        "first": frozenset({"day"}),
        "context": frozenset({"colon"}),
        "mail_footer": frozenset({"sender"}),
    }
)
_MAY_BE_ADDED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {"day": frozenset({"year"}), "sharp": frozenset({"minute"})}
)
_FORMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"hour": ("", "02d"), "minute": ("02d",)})


def wrong_in(field: str, form: str, part: str = "") -> list[str]:
    """What is wrong with the names in braces of a phrase.

    Args:
        field: A field of [`Locale`][policenotify.render.locales.Locale].
        form: How it is to read.
        part: `today` or `other_day`, where the field is a [`Phrase`][policenotify.render.locales.Phrase].

    Returns:
        Nothing when it can be filled in; else what to do, with the shipped phrases as examples.
    """
    try:
        found = list(_names(form))
    except ValueError:
        return ["has a { or } without its other half. A brace that readers shall see is written twice."]
    must = frozenset(name for shipped in _shipped(field, part) for name, _ in _names(shipped))
    may = must | _MAY_BE_ADDED.get(field, frozenset())
    if part == "today":  # the day is known then, too
        may |= {name for shipped in _shipped(field, "other_day") for name, _ in _names(shipped)}
    must -= _MAY_BE_LEFT_OUT.get(field, frozenset())
    wrong = [
        f"{{{name}}} is not filled in here. {did_you_mean(name, may)}"
        for name, _ in dict(found).items()
        if name not in may
    ]
    wrong += [
        f"{{{name}}} is written {' or '.join(_written(name))}, not {{{name}{told}}}."
        for name, told in found
        if name in may and told not in {spec and f":{spec}" for spec in _FORMS.get(name, ("",))}
    ]
    if lacking := sorted(must - {name for name, _ in found}):
        names = ", ".join(f"{{{name}}}" for name in lacking)
        wrong.append(f"must hold {names}, as in {' or '.join(repr(one) for one in _shipped(field, part))}.")
    return wrong


def _shipped(field: str, part: str) -> Iterator[str]:
    for words in (FR, EN):
        value = getattr(words, field)
        yield getattr(value, part) if isinstance(value, Phrase) else value


def _names(form: str) -> Iterator[tuple[str, str]]:
    """Each name in braces, and what stands behind it there."""
    for _, name, spec, conversion in Formatter().parse(form):
        if name is not None:
            yield name, (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")


def _written(name: str) -> Iterator[str]:
    for spec in _FORMS.get(name, ("",)):
        yield f"{{{name}:{spec}}}" if spec else f"{{{name}}}"
