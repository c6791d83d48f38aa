"""What is wrong with settings, in words that name the field, the nearest right name, and never a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args
from urllib.parse import unquote

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import ErrorDetails

_IN_OUR_WORDS = {"missing": "is missing.", "too_short": "must not be empty."}
_TELLTALE = 3  # characters; a shorter secret is part of ordinary words
_TELLTALE_PART = 8  # of a part of one: a shorter part is a word of the language, such as `token`


def did_you_mean(wrong: str, right: Iterable[str], *, known: str = "Known here") -> str:
    """A hint for a name that is not known, to stand after the statement that it is not.

    Returns:
        The nearest right name, if one is near, and what there is: `Did you mean 'handle'? Known here: handle, …`
    """
    names = sorted(right)
    near = get_close_matches(wrong, names, n=1)
    hint = [f"Did you mean {near[0]!r}?"] if near else []
    return " ".join([*hint, f"{known}: {', '.join(names) or 'none'}."])


def format_validation_errors(
    error: ValidationError, model: type[BaseModel], *, at: str = "", also: Iterable[str] = (), given: object = None
) -> list[str]:
    """One line for each thing that is wrong.

    Args:
        error: What pydantic found.
        model: Where it looked.
        at: Where in the settings the model's values stand: `channels.bluesky`.
        also: More names that may stand beside the model's own.
        given: What was validated; a line that would repeat a secret in it, or a long part of one, is withheld.
    """
    secrets = secret_values(model, given)
    found = error.errors(include_url=False, include_input=False, include_context=False)
    places = [slip["loc"] for slip in found]
    return [
        ": ".join(filter(None, (path(at, *slip["loc"]), _said(slip, model, also, secrets))))
        for slip in found
        # A list is wrong because its item is, or something in it.
        if not any(inner[: len(slip["loc"])] == slip["loc"] != inner for inner in places)
    ]


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it ends a sentence already: others follow it."""
    return text if text.endswith((".", "!", "?", "…", ".)")) else f"{text}."


def path(*parts: str | int) -> str:
    """Where a value stands, as `channels.bluesky.handle` or `routes[0].to`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts if part != "").lstrip(".")


def secret_values(model: type[BaseModel], given: object) -> list[str]:
    """The values given for the model's secret fields, and for those of the models within it."""
    return list(_secrets(model, given))


def _secrets(annotation: Any, given: object) -> Iterator[str]:  # noqa: ANN401 - annotations have no common type
    match given:
        case Mapping():
            fields = found.model_fields if (found := _within(annotation, BaseModel)) else {}
            for name, value in given.items():
                yield from _secrets(fields[name].annotation if name in fields else annotation, value)
        case list() | tuple() | set() | frozenset():
            for value in given:
                yield from _secrets(annotation, value)
        case SecretStr() | SecretBytes():
            yield str(given.get_secret_value())
        case _:
            yield from [str(given)] if _within(annotation, SecretStr, SecretBytes) else []


def redact(text: str, secrets: Iterable[str], *, ours: bool = False) -> str:
    """Return the text, unless it repeats a secret or a long part of one.

    An author's own words may quote the value that he was given, or a piece of it.

    Args:
        text: What is wrong, in words.
        secrets: What must not be repeated.
        ours: The text was written to be shown (a `SettingsError`, or made of names alone): it may have words in
            common with a secret, such as the scheme of a URL, but not the whole of it and not its password.
    """
    telltale: set[str] = set()
    for secret in secrets:
        password = secret.partition("://")[2].rpartition("@")[0].partition(":")[2]
        wholes = {secret, password, unquote(secret), unquote(password)}
        telltale.update(whole for whole in wholes if len(whole) >= _TELLTALE)
        parts = () if ours else re.split(r"\W+", unquote(secret))
        telltale.update(part for part in parts if len(part) >= _TELLTALE_PART)
    if any(part in text for part in telltale):
        return "is not right (why is not repeated here: it would show a secret)."
    return text


def _said(slip: ErrorDetails, model: type[BaseModel], also: Iterable[str], secrets: Iterable[str]) -> str:
    if slip["type"] == "extra_forbidden":
        *outer, name = slip["loc"]
        known = [*_names_at(model, outer), *(() if outer else also)]
        text = f"is not known. {did_you_mean(str(name), known)}".rstrip()
        return redact(text, secrets, ours=True)  # made of names alone
    if slip["type"] in _IN_OUR_WORDS:
        return _IN_OUR_WORDS[slip["type"]]
    return redact(slip["msg"].removeprefix("Value error, "), secrets)


def _names_at(model: type[BaseModel], location: Iterable[int | str]) -> Iterable[str]:
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _within(model.model_fields[part].annotation, BaseModel) or model
    return model.model_fields


def _within(annotation: Any, *kinds: type) -> Any:  # noqa: ANN401 - annotations have no common type
    """The first type of one of these kinds in an annotation such as `dict[str, Route] | None`."""
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, kinds):
        return annotation
    return next((found for part in get_args(annotation) if (found := _within(part, *kinds))), None)
