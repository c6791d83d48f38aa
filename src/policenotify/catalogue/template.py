"""Templates of texts: literal parts with values between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

WORD: Final = re.compile(r"\w+")
_SLOT: Final = re.compile(r"\{\{|\}\}|\{(\d+)(!t|:d)?\}|[{}]")  # a doubled brace is a brace

_ANY: Final = "\N{CYRILLIC LETTER MULTIOCULAR O}"  # stands for a value: a letter that is in no text
_PLACE: Final = re.compile(r"\{\d[^{}]*+\}")

_MARK: Final = re.compile(r"(?<!\s)\s*+[,;]\s++")
_APART: Final = re.compile(r"\.?$|[)\n]|\s+[A-Z]")


class Slot(NamedTuple):
    """The place of a value.

    Attributes:
        number: Its number, in the order of the English text.
        nested: The value is translated itself: `{0!t}` in a translation.
        numeric: The value is a number: `{0:d}` in the English text.
    """

    number: int
    nested: bool = False
    numeric: bool = False


def split_template(template: str) -> tuple[list[str], list[Slot]]:
    """Return the literal parts of a template and the slots between them, one fewer.

    Raises:
        ValueError: A slot is not `{0}`, `{0!t}` or `{0:d}`.
    """
    if "{" not in template and "}" not in template:
        return [template], []
    literals, slots, done = [""], [], 0
    for match in _SLOT.finditer(template):
        literals[-1] += template[done : match.start()]
        done = match.end()
        if match[1]:
            slots.append(Slot(int(match[1]), nested=match[2] == "!t", numeric=match[2] == ":d"))
            literals.append("")
        elif len(match[0]) > 1:
            literals[-1] += match[0][0]
        else:
            raise ValueError(f"{template!r}: write a value as {{0}}, {{0!t}} (translated) or {{0:d}} (a number)")
    literals[-1] += template[done:]
    return literals, slots


@dataclass(frozen=True, slots=True)
class Template:
    """An English text with its translations.

    Attributes:
        english: Its text, with `{0}`, `{1}` … for the values in their order.
        translations: The text in the other language; two of them: of one, and of several, by the first number.
        literals: The parts around the values.
        nested: The values that are translated themselves.
        numbers: The values that are numbers.
    """

    english: str
    translations: tuple[str, ...]
    literals: tuple[str, ...]
    nested: frozenset[int]
    numbers: frozenset[int]

    @classmethod
    def of(cls, english: str, translations: Sequence[str]) -> Template:
        """Return a template.

        Raises:
            ValueError: A translation has a value that the English text lacks, or the values are not in order.
        """
        literals, slots = split_template(english)
        if [slot.number for slot in slots] != list(range(len(slots))):
            raise ValueError(f"{english!r}: the values are numbered in their order, from 0")
        used = {slot for text in translations for slot in split_template(text)[1]}
        if unknown := [slot.number for slot in used if slot.number >= len(slots)]:
            raise ValueError(f"{english!r}: its translation has the unknown value {unknown[0]}")
        nested = frozenset(slot.number for slot in used if slot.nested)
        numbers = frozenset(slot.number for slot in slots if slot.numeric)
        return cls(english, tuple(translations), tuple(literals), nested, numbers)

    def without_mark(self) -> Iterator[Template]:
        """Yield the template as it is where it begins a part, if it begins with a comma or semicolon."""
        if mark := _MARK.match(self.literals[0]):
            yield replace(
                self,
                translations=tuple(_MARK.sub("", text) for text in self.translations),
                literals=(self.literals[0][mark.end() :], *self.literals[1:]),
            )

    @property
    def weight(self) -> int:
        """The number of its literal characters."""
        return sum(map(len, self.literals))

    @property
    def words(self) -> set[str]:
        """The whole words of its literal parts, which are in each text of the template."""
        return whole_words("{0}".join(self.literals))

    def may_hold_sentences(self, number: int) -> bool:
        """Return True if a value may be a text of several sentences.

        It stands in quotation marks. Or it is a text of the catalogue that ends the text or stands in brackets, or that
        a new sentence or line follows.
        """
        before, after = self.literals[number : number + 2]
        if before.endswith("“") and after.startswith("”"):
            return True
        return number in self.nested and _APART.match(after) is not None

    def values(self, text: str) -> tuple[str, ...] | None:
        """Return the values in a text, or `None` if it is not of this template.

        A value ends where the next literal part first occurs, so that the time is linear in the text.
        """
        first, *middle = self.literals
        if not middle:
            return () if text == first else None
        last = middle.pop()
        end = len(text) - len(last)
        if end < len(first) or not text.startswith(first) or not text.endswith(last):
            return None
        values, start = [], len(first)
        for literal in middle:
            at = text.find(literal, start, end)
            if at < 0:
                return None
            values.append(text[start:at])
            start = at + len(literal)
        if start > end:
            return None
        values.append(text[start:end])
        return tuple(values) if all(is_number(values[number]) for number in self.numbers) else None

    def parts(self, *, several: bool) -> list[tuple[str, Slot | None]]:
        """Return the literal parts of the translation, each with the slot after it."""
        literals, slots = split_template(self.translations[several and len(self.translations) > 1])
        return list(zip(literals, [*slots, None], strict=True))


def whole_words(english: str) -> set[str]:
    """Return the words of a template that are in each of its texts: a word at the edge of a value may go on in it."""
    return {word for word in WORD.findall(_PLACE.sub(_ANY, english)) if _ANY not in word}


def is_number(value: str) -> bool:
    """Return True if a value is a whole number, as this package writes it."""
    return value.replace(",", "").isdecimal()
