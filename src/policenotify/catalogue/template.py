"""Templates of texts: literal parts with values between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import NamedTuple


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


def split_template(template: str) -> Iterator[tuple[str, Slot | None]]:
    """Yield each literal part of a template with the slot after it.

    Raises:
        ValueError: A slot is not `{0}`, `{0!t}` or `{0:d}`.
    """
    for literal, name, form, conversion in Formatter().parse(template):
        if name is None:
            yield literal, None
        elif form not in {"", "d"} or conversion not in {None, "t"} or not name.isdecimal():
            raise ValueError(
                f"{template!r}: write a value as {{0}}, as {{0!t}} if it is translated, as {{0:d}} if a number"
            )
        else:
            yield literal, Slot(int(name), nested=conversion == "t", numeric=form == "d")


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
    translations: tuple[tuple[tuple[str, Slot | None], ...], ...]
    literals: tuple[str, ...]
    nested: frozenset[int]
    numbers: frozenset[int]

    @classmethod
    def of(cls, english: str, translations: Sequence[str]) -> Template:
        """Return a template.

        Raises:
            ValueError: A translation has a value that the English text lacks, or the values are not in order.
        """
        parts = list(split_template(english))
        slots = [slot for _, slot in parts if slot]
        if [slot.number for slot in slots] != list(range(len(slots))):
            raise ValueError(f"{english!r}: the values are numbered in their order, from 0")
        literals = [literal for literal, _ in parts]
        if len(literals) == len(slots):  # the text ends with a value, or is empty
            literals.append("")
        parsed = tuple(tuple(split_template(text)) for text in translations)
        used = [slot for text in parsed for _, slot in text if slot]
        if unknown := {slot.number for slot in used} - set(range(len(slots))):
            raise ValueError(f"{english!r}: its translation has the unknown value {min(unknown)}")
        nested = frozenset(slot.number for slot in used if slot.nested)
        return cls(english, parsed, tuple(literals), nested, frozenset(slot.number for slot in slots if slot.numeric))

    @property
    def weight(self) -> int:
        """The number of its literal characters: of two that match, the heavier one is meant."""
        return sum(map(len, self.literals))

    def may_hold_sentences(self, index: int) -> bool:
        """Return True if a value is a text of ours of any length: one that ends the text, or stands in brackets."""
        return index in self.nested and (not self.literals[index + 1] or self.literals[index + 1][0] in ")\n")

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
        return tuple(values) if all(is_number(values[index]) for index in self.numbers) else None


def is_number(value: str) -> bool:
    """Return True if a value is a whole number, as this package writes it."""
    return value.replace(",", "").isdecimal()
