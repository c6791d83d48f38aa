"""Error texts for wrong settings, which never repeat a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, TypeGuard, get_args
from urllib.parse import unquote

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from policenotify.errors import SettingsError
from policenotify.translation import AnyText, Text, text_of

IS_MISSING: Final = Text("is missing.")
"""What is wrong with a place where nothing is."""

# What to write, by the type of pydantic's error, with the names of its context.
_TEXTS = {
    "missing": IS_MISSING,
    "too_short": Text("must not be empty."),
    "string_too_short": Text("must not be empty."),
    "literal_error": Text("write {expected}"),
    "enum": Text("write {expected}"),
    "greater_than": Text("write a number greater than {gt}"),
    "greater_than_equal": Text("write a number from {ge} on"),
    "less_than": Text("write a number less than {lt}"),
    "less_than_equal": Text("write a number up to {le}"),
    "timezone_aware": Text("write a time with its zone"),
    "string_too_long": Text("write at most {max_length} characters"),
    "string_pattern_mismatch": Text("write a text of the form '{pattern}'"),
    "too_long": Text("write at most {max_length} items, not {actual_length}"),
}
_LIST, _NUMBER, _TABLE = Text("write a list"), Text("write a number"), Text("write a table")
# The same for a value of another type, by the first word of the error's type.
_KINDS = {
    "string": Text("write a text"), "bool": Text("write true or false"), "int": Text("write a whole number"),
    "float": _NUMBER, "finite": _NUMBER, "tuple": _LIST, "list": _LIST, "dict": _TABLE, "model": _TABLE,
    "date": Text("write a date such as 2026-06-05"), "datetime": Text("write a time such as 2026-06-05T18:30:00+02:00"),
    "url": Text("write a URL, with its scheme"),
}  # fmt: skip

_FORMS = {
    "category": Text("write a code such as traffic_accident"),
    "language": Text("write a language such as fr, oc or pt-BR"),
    "location.commune": Text("write a name, or a code of INSEE such as 34172"),
    "location.department": Text("write a code such as 34, 2A or 974"),
    "location.road.road": Text("write a road such as A9, N113 or D612E7"),
    "lifecycle.incident": Text("write 1 to 64 letters, digits and . _ -, beginning with a letter or digit"),
    "lifecycle.follows": Text("write 1 to 64 letters, digits and . _ -, beginning with a letter or digit"),
}
# How to write the fields of a message whose form pydantic would describe by a regular expression.

_MIN_SECRET = 3  # characters: a shorter secret is part of ordinary words
_MIN_PART = 8  # characters of a part of a secret: a shorter part is a word of the language, such as `token`


_AT_PLACE: Final = "{place}: {text}"
_KNOWN: Final = Text("Known here")


class WrongValue(NamedTuple):
    """A wrong value: its place, empty for the whole, and what is wrong with it."""

    place: str
    text: AnyText

    @property
    def line(self) -> AnyText:
        """The text behind the place."""
        return at_place(self.place, self.text)


LONGEST_NAME: Final = 200
"""Characters of a key or an actor, at most: the width of the journal's columns."""


def is_name(value: object) -> TypeGuard[str]:
    """Return True for a printable text of 1 to 200 characters that is not only white space."""
    return isinstance(value, str) and bool(value.strip()) and len(value) <= LONGEST_NAME and value.isprintable()


def did_you_mean(wrong: str, right: Iterable[str], *, known: AnyText = _KNOWN) -> AnyText:
    """Return the nearest known name, if any, and all known names.

    The hint reads `Did you mean 'handle'? Known here: handle, …`.
    """
    names = sorted(right)
    near = get_close_matches(wrong, names, n=1)
    hint = [Text("Did you mean {near!r}?", near=near[0])] if near else []
    listed = Text("{known}: {names}.", known=known, names=", ".join(names) or Text("none"))
    return Text.join(" ", [*hint, listed])


def validation_errors(
    error: ValidationError,
    model: type[BaseModel],
    *,
    at: str = "",
    also: Iterable[str] = (),
    values: object = None,
) -> list[WrongValue]:
    """Return the place and text of each wrong value.

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
        _problem(detail, model, at, also, secrets)
        for detail in details
        # A list is wrong because one of its items is: only the item is reported.
        if not any(inner[: len(detail["loc"])] == detail["loc"] != inner for inner in locations)
    ]


def _problem(
    detail: ErrorDetails, model: type[BaseModel], at: str, also: Iterable[str], secrets: list[str]
) -> WrongValue:
    cause = detail.get("ctx", {}).get("error")
    if not detail["loc"] and isinstance(cause, SettingsError):
        return WrongValue("", option_error(cause, model, at=at, secrets=secrets))
    inner, text = named_field(_text(detail, model, also, secrets))
    return WrongValue(path(at, *detail["loc"], *filter(None, [inner])), text)


def option_error(error: BaseException, model: type[BaseModel], *, at: str, secrets: Iterable[str]) -> AnyText:
    """Return an error about several options behind the place of the one that its text names first, as `handle: …`.

    Args:
        error: The error. The text of a `SettingsError` is written to be shown.
        model: The model of the options.
        at: The place of the options in the settings.
        secrets: The values that must not appear.
    """
    ours = isinstance(error, SettingsError)
    text = text_of(error) if ours else Text("{kind}: {text}", kind=type(error).__name__, text=str(error))
    option, colon, _ = str(error).partition(": ")
    shown, named = redact(text, secrets, trusted=ours), colon and option in model.model_fields
    if named and shown is text and at:
        return Text("{place}.{text}", place=at, text=text)
    return at_place(path(at, option) if named and shown is not text else at, shown)


def sentence(text: AnyText) -> AnyText:
    """Return the text with a full stop, unless it ends a sentence already."""
    if str(text).endswith((".", "!", "?", "…", ".)")):
        return text
    return f"{text}." if isinstance(text, str) else Text("{text}.", text=text)


def place_in_file(error: Exception) -> Text:
    """Return where a file of JSON or TOML is wrong. The words of the parser are English, so they are left out."""
    found = re.search(r"line (\d+),? column (\d+)", str(error))
    if found is None:
        return Text("its end is missing, or it is nested too deeply")
    return Text("line {line}, column {column}", line=found[1], column=found[2])


def named_field(text: AnyText) -> WrongValue:
    """Return the place that `at_place` has named, and the text."""
    if isinstance(text, Text) and text.template == _AT_PLACE:
        args = dict(text.args)
        inner = args["text"]
        return WrongValue(str(args["place"]), inner if isinstance(inner, Text) else str(inner))
    return WrongValue("", text)


def indented(text: AnyText) -> Text:
    """Return a text as a line below a heading."""
    return Text("  {text}", text=text)


def at_place(place: str, text: AnyText) -> AnyText:
    """Return an error text behind the place of the wrong value, `channels.bluesky.handle: …`."""
    return Text(_AT_PLACE, place=Text.word(place), text=text) if place else text


def wrong_at(place: str, text: AnyText) -> ValueError:
    """Return the error of a validator about one of several values, which names its place."""
    return ValueError(at_place(place, text))


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


def redact(text: AnyText, secrets: Iterable[str], *, trusted: bool = False) -> AnyText:
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
    if any(needle in str(text) for needle in needles):
        return Text("is wrong (the reason is not shown: it would show a secret).")
    return text


def _text(detail: ErrorDetails, model: type[BaseModel], also: Iterable[str], secrets: Iterable[str]) -> AnyText:
    if detail["type"] == "extra_forbidden":
        *outer, name = detail["loc"]
        known = [*_names_at(model, outer), *(() if outer else also)]
        return redact(
            Text("is not known. {did_you_mean}", did_you_mean=did_you_mean(str(name), known)), secrets, trusted=True
        )
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return redact(text_of(context["error"]), secrets, trusted=isinstance(context["error"], SettingsError))
    if detail["type"] == "string_pattern_mismatch" and (form := _FORMS.get(path(*detail["loc"]))):
        return form
    worded = _TEXTS.get(detail["type"]) or _KINDS.get(detail["type"].partition("_")[0])
    return redact(Text(worded.template, **context) if worded else detail["msg"], secrets)


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
