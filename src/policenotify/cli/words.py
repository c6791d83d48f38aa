"""Codes as officers type them: by the code itself, or by its name in a language of the desk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import click

from policenotify.cli.usage import BadParameter
from policenotify.text.comparison import fold
from policenotify.translation import Text, languages, word_in


def code_of(typed: str, words: Mapping[str, Iterable[str]], **place: Any) -> str:  # noqa: ANN401 - of `BadParameter`
    """Return the code that was typed, itself or by one of its words. Case, accents and hyphens make no difference.

    Raises:
        click.BadParameter: There is none. The text names the nearest word, or all codes.
    """
    names = {_folded(word): (code, word) for code, others in words.items() for word in others}
    names |= {_folded(code): (code, code) for code in words}  # one code may be a word of another
    folded = _folded(typed)
    if folded in names:
        return names[folded][0]
    near = get_close_matches(folded, names, n=1) or [name for name in names if folded and folded in name]
    hint = Text("There are: {names}.", names=", ".join(words))
    if near:
        hint = Text("Did you mean {near!r}?", near=names[near[0]][1])
    raise BadParameter(Text.join(" ", (Text("{value!r} is not known.", value=typed), hint)), **place)


def words_of(codes: Iterable[str]) -> dict[str, list[str]]:
    """Return the words of each code in the languages that the command line speaks."""
    return {code: [word_in(code.lower(), language) for language in languages()] for code in codes}


def _folded(word: str) -> str:
    return fold(word.replace("_", " "))


class Word(click.ParamType[str]):
    """One of several codes, or its name in another language. A typo is answered with the nearest."""

    name = "word"

    def __init__(self, codes: Iterable[str]) -> None:
        self.codes = tuple(codes)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401 - click's own signature
        """Return the code."""
        return code_of(str(value), words_of(self.codes), param=param, ctx=ctx)
