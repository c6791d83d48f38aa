"""Error texts for wrong settings, which never repeat a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeGuard, get_args
from urllib.parse import unquote

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from policenotify.errors import SettingsError

_TEXTS = {"missing": "is missing.", "too_short": "must not be empty.", "string_too_short": "must not be empty."}

FORMS = {
    "category": "write a code such as traffic_accident",
    "language": "write a language such as fr, oc or pt-BR",
    "location.commune": "write a code of INSEE such as 34172",
    "location.department": "write a code such as 34, 2A or 974",
    "location.road.road": "write a road such as A9, N113 or D612E7",
    "lifecycle.incident": "write 1 to 64 letters, digits and . _ -, beginning with a letter or digit",
    "lifecycle.follows": "write 1 to 64 letters, digits and . _ -, beginning with a letter or digit",
}
"""How to write the fields of a message whose form pydantic would describe by a regular expression."""

_MIN_SECRET = 3  # characters: a shorter secret is part of ordinary words
_MIN_PART = 8  # characters of a part of a secret: a shorter part is a word of the language, such as `token`


LONGEST_NAME: Final = 200
"""Characters of a key or an actor, at most: the width of the journal's columns."""


def is_name(value: object) -> TypeGuard[str]:
    """Return True for a printable text of 1 to 200 characters that is not only white space."""
    return isinstance(value, str) and bool(value.strip()) and len(value) <= LONGEST_NAME and value.isprintable()


def did_you_mean(wrong: str, right: Iterable[str], *, known: str = "Known here") -> str:
    """Return the nearest known name, if any, and all known names.

    The hint reads `Did you mean 'handle'? Known here: handle, …`.
    """
    names = sorted(right)
    near = get_close_matches(wrong, names, n=1)
    hint = [f"Did you mean {near[0]!r}?"] if near else []
    return " ".join([*hint, f"{known}: {', '.join(names) or 'none'}."])


def format_validation_errors(
    error: ValidationError, model: type[BaseModel], *, at: str = "", also: Iterable[str] = (), values: object = None
) -> list[str]:
    """Return one line for each wrong value.

    Args:
        error: The error of pydantic.
        model: The model that was validated.
        at: The place of the model's values in the settings: `channels.bluesky`.
        also: Names that are allowed beside the model's own.
        values: The validated values. A line that would repeat a secret in them, or a long part of one, is withheld.
    """
    secrets = secret_values(model, values)
    details = error.errors(include_url=False, include_input=False)
    locations = [detail["loc"] for detail in details]
    return [
        _line(detail, model, at, also, secrets)
        for detail in details
        # A list is wrong because one of its items is: only the item is reported.
        if not any(inner[: len(detail["loc"])] == detail["loc"] != inner for inner in locations)
    ]


def _line(detail: ErrorDetails, model: type[BaseModel], at: str, also: Iterable[str], secrets: list[str]) -> str:
    cause = detail.get("ctx", {}).get("error")
    if not detail["loc"] and isinstance(cause, SettingsError):
        return option_error(cause, model, at=at, secrets=secrets)
    return ": ".join(filter(None, (path(at, *detail["loc"]), _text(detail, model, also, secrets))))


def option_error(error: BaseException, model: type[BaseModel], *, at: str, secrets: Iterable[str]) -> str:
    """Return an error about several options at the one that its text names first, as `handle: …`.

    Args:
        error: The error. The text of a `SettingsError` is written to be shown.
        model: The model of the options.
        at: The place of the options in the settings.
        secrets: The values that must not appear.
    """
    option, colon, rest = str(error).partition(": ")
    place, text = (path(at, option), rest) if colon and option in model.model_fields else (at, str(error))
    ours = isinstance(error, SettingsError)
    text = redact(text if ours else f"{type(error).__name__}: {text}", secrets, trusted=ours)
    return ": ".join(filter(None, (place, text)))


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it ends a sentence already."""
    return text if text.endswith((".", "!", "?", "…", ".)")) else f"{text}."


def path(*parts: str | int) -> str:
    """Return the place of a value, as `channels.bluesky.handle` or `routes[0].to`."""
    shown = (part for part in parts if part not in {"", "[key]"})  # the second stands for a wrong key of a table
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in shown).lstrip(".")


def secret_values(model: type[BaseModel], values: object) -> list[str]:
    """Return the values of the model's secret fields, nested models included."""
    return list(_secrets(model, values))


def _secrets(annotation: Any, value: object) -> Iterator[str]:  # noqa: ANN401 - annotations have no common type
    match value:
        case Mapping():
            fields = inner.model_fields if (inner := _within(annotation, BaseModel)) else {}
            for name, item in value.items():
                yield from _secrets(fields[name].annotation if name in fields else annotation, item)
        case list() | tuple() | set() | frozenset():
            for item in value:
                yield from _secrets(annotation, item)
        case SecretStr() | SecretBytes():
            yield str(value.get_secret_value())
        case _:
            yield from [str(value)] if _within(annotation, SecretStr, SecretBytes) else []


def redact(text: str, secrets: Iterable[str], *, trusted: bool = False) -> str:
    """Return the text, unless it repeats a secret or a long part of one.

    The text of a validator outside this package may quote the value or a piece of it.

    Args:
        text: The error text.
        secrets: The values that must not appear.
        trusted: The text was written to be shown: a `SettingsError`, or names alone. It may share words with a secret,
            such as the scheme of a URL, but must not hold the whole secret or its password.
    """
    needles: set[str] = set()
    for secret in secrets:
        password = secret.partition("://")[2].rpartition("@")[0].partition(":")[2]
        wholes = {secret, password, unquote(secret), unquote(password)}
        needles.update(whole for whole in wholes if len(whole) >= _MIN_SECRET)
        parts = () if trusted else re.split(r"\W+", unquote(secret))
        needles.update(part for part in parts if len(part) >= _MIN_PART)
    if any(needle in text for needle in needles):
        return "is not right (why is not repeated here: it would show a secret)."
    return text


def _text(detail: ErrorDetails, model: type[BaseModel], also: Iterable[str], secrets: Iterable[str]) -> str:
    if detail["type"] == "extra_forbidden":
        *outer, name = detail["loc"]
        known = [*_names_at(model, outer), *(() if outer else also)]
        return redact(f"is not known. {did_you_mean(str(name), known)}", secrets, trusted=True)
    ours = isinstance(detail.get("ctx", {}).get("error"), SettingsError)
    return _TEXTS.get(detail["type"]) or redact(detail["msg"].removeprefix("Value error, "), secrets, trusted=ours)


def _names_at(model: type[BaseModel], location: Iterable[int | str]) -> Iterable[str]:
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _within(model.model_fields[part].annotation, BaseModel) or model
    return model.model_fields


def _within(annotation: Any, *kinds: type) -> Any:  # noqa: ANN401 - annotations have no common type
    """Return the first such type inside an annotation like `dict[str, Route] | None`."""
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, kinds):
        return annotation
    return next((inner for part in get_args(annotation) if (inner := _within(part, *kinds))), None)
