"""Texts for officers: English where they arise, in the desk's language where a person reads them.

A `Text` is a template and its arguments. `str(text)` is English, for logs, JSON and exceptions. `text.in_("fr")` looks
the template up, exactly, in the catalogue that `gettext` reads. The decision is
`docs/explanation/decisions/0007-texts-of-the-desk.md`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core.core_schema import CoreSchema

Argument: TypeAlias = "Text | str | int | float"

_COUNT: Final = "count"  # the argument that decides between one and several


class Text:
    """A text for officers. It is not a `str`: what takes one shows that it knows no language.

    It equals its English text, so that programs may compare it, and one without any words is false.

    Attributes:
        template: The English text, with its arguments in braces, as `str.format` reads them.
        args: The arguments by name. A text among them is translated, too. All others, such as a headline, a name, a
            command or the words of a server, are repeated as they are.
        plural: The template for other numbers than one, if there is one. The argument `count` decides.
    """

    __slots__ = ("args", "plural", "template")  # no dataclass: `dataclasses.asdict` would take it apart

    template: str
    args: tuple[tuple[str, Argument], ...]
    plural: str

    def __init__(self, template: AnyText, /, **args: object) -> None:
        self.template, self.plural = str(template), ""
        self.args = tuple((name, _argument(value)) for name, value in args.items())

    @classmethod
    def _made(cls, template: str, plural: str, args: Iterable[tuple[str, object]]) -> Self:
        text = cls(template, **dict(args))
        text.plural = plural
        return text

    @classmethod
    def counted(cls, one: str, several: str, /, count: int, **args: object) -> Self:
        """Return a text that has another template for one than for several."""
        return cls._made(one, several, [(_COUNT, count), *args.items()])

    @classmethod
    def word(cls, word: str) -> Self:
        """Return a text of one word or phrase that is not written where it is used, as of a table or the system."""
        return cls(_literal(word))

    @classmethod
    def join(cls, separator: Text | str, texts: Iterable[Text | str]) -> Self:
        """Return one text of several, as `str.join` does, but without empty ones."""
        parts = [part for part in texts if part]
        args: list[tuple[str, object]] = [(f"part{number}", part) for number, part in enumerate(parts)]
        between = "{separator}" if isinstance(separator, Text) else _literal(separator)
        return cls._made(between.join(f"{{{name}}}" for name, _ in args), "", [*args, ("separator", separator)])

    def __repr__(self) -> str:
        return f"Text({self.template!r}, {dict(self.args)!r})"

    def __str__(self) -> str:
        args = dict(self.args)
        several = self.plural and args[_COUNT] != 1
        return (self.plural if several else self.template).format_map(args)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Text, str)):
            return str(self) == str(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __bool__(self) -> bool:
        return bool(self.template)

    def in_(self, language: str) -> str:
        """Return the text in a language. In one without a catalogue, and where that lacks the text, it is English."""
        translations = translations_of(language.partition("-")[0].lower())
        args = {name: value.in_(language) if isinstance(value, Text) else value for name, value in self.args}
        if self.plural:
            count = args[_COUNT]
            template = translations.ngettext(self.template, self.plural, count if isinstance(count, int) else 2)
        else:
            template = translations.gettext(self.template) if self.template else ""
        return template.format_map(args)

    def parts(self) -> dict[str, object]:
        """Return template and arguments as JSON has them."""
        args = {name: value.parts() if isinstance(value, Text) else value for name, value in self.args}
        return {"template": self.template, "args": args, **({"plural": self.plural} if self.plural else {})}

    @classmethod
    def of_parts(cls, parts: Mapping[str, Any]) -> Self:
        """Return the text that `parts` has taken apart.

        Raises:
            LookupError: Something is missing, or an argument of the template.
        """
        args = [
            (name, cls.of_parts(value) if isinstance(value, dict) else value) for name, value in parts["args"].items()
        ]
        text = cls._made(str(parts["template"]), str(parts.get("plural", "")), args)
        str(text)
        return text

    def filled(self, **args: object) -> Text:
        """Return the text of a table with its arguments."""
        return Text(self.template, **args)

    def map(self, change: Callable[[Argument], Argument]) -> Text:
        """Return it with its arguments changed, those of texts inside it too."""
        args = [(name, change(value)) for name, value in self.args]
        args = [(name, value.map(change) if isinstance(value, Text) else value) for name, value in args]
        return Text._made(self.template, self.plural, args)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's own signature
        from pydantic_core import core_schema  # noqa: PLC0415 - `import policenotify` loads no models

        del source, handler
        return core_schema.is_instance_schema(cls, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        del schema, handler
        return {"type": "string"}


AnyText: TypeAlias = Text | str
"""A text for officers. A plain `str`, as other packages may write it, is never translated."""


def in_language(value: object, language: str) -> str:
    """Return a text, an error, a finding or a receipt in a language. A plain `str` stays as it is."""
    text = text_of(value)
    return text.in_(language) if isinstance(text, Text) else text


def word_in(value: object, language: str, **args: object) -> str:
    """Return a text in a language, as `in_language` does. A plain `str` is looked up, too: the words of a page."""
    text = text_of(value)
    if isinstance(text, str):
        text = Text(text, **args) if args else Text.word(text)
    return text.in_(language)


def quoted(name: object) -> Text:
    """Return a name in the quotation marks of the language."""
    return Text("'{name}'", name=name)


def text_of(value: object) -> AnyText:
    """Return the text of an error, a finding or a receipt. The word of an enumeration is a text, too."""
    if isinstance(value, Text):
        return value
    if isinstance(value, StrEnum):
        return Text.word(value.value)
    own = getattr(value, "text", None) if not isinstance(value, str) else None
    if own is None and isinstance(value, BaseException) and value.args:
        own = value.args[0]
    return own if isinstance(own, Text) else str(value)


def _argument(value: object) -> Argument:
    return value if isinstance(value, (int, float)) or type(value) is str else text_of(value)


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


_BEHIND: Final = "\N{INFORMATION SEPARATOR TWO}"


def stored_text(text: AnyText) -> str:
    """Return a text as it is stored: in English, and behind it, after U+001E, its template and arguments as JSON.

    A plain text, which may hold a server's words, never reads as a template.
    """
    if isinstance(text, Text):
        return f"{text!s}{_BEHIND}{json.dumps(text.parts(), ensure_ascii=False)}"
    return text.replace(_BEHIND, " ")


def read_text(stored: str) -> AnyText:
    """Return a text that is stored. Of one whose arguments are damaged only the English is left."""
    english, behind, parts = stored.rpartition(_BEHIND)
    try:
        return Text.of_parts(json.loads(parts)) if behind else parts
    except (ValueError, TypeError, LookupError, AttributeError):  # a template may name an attribute
        return english


@cache
def translations_of(language: str) -> NullTranslations:
    """Return the catalogue of a language, or an empty one."""
    if language.isalnum() and language.isascii():
        file = files(__name__) / "locale" / language / "LC_MESSAGES" / "policenotify.mo"
        if file.is_file():
            with file.open("rb") as opened:
                return GNUTranslations(opened)
    return NullTranslations()


def lines_of(text: AnyText) -> list[AnyText]:
    """Return the lines of a text: the parts of one that `Text.join` has made of them."""
    if isinstance(text, str):
        return [*text.splitlines()]
    args = dict(text.args)
    if args.pop("separator", None) != "\n":
        return [text]
    return [line for part in args.values() for line in lines_of(part if isinstance(part, Text) else str(part))]


def languages() -> list[str]:
    """Return the languages that have a catalogue."""
    return sorted(folder.name for folder in (files(__name__) / "locale").iterdir() if folder.is_dir())
