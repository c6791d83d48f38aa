"""The word lists of the checks: read from TOML, changed by a desk, found in a text in one pass.

A list is a table of `checks/data/words.toml` or of its files by language, `words.fr.toml`:

```toml
[guilt]
about = "Words that call a person guilty."
words = ["meurtri(er|ère)", "auteur(|s) (du|des) (meurtre|faits)", "handicap*"]
```

An entry is a phrase of one or more words. Brackets hold alternatives, a star any ending. Accents and case do not count,
and a last word matches its plural, too.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from itertools import product
from types import MappingProxyType
from typing import Final, NamedTuple

from policenotify.checks.folds import FoldedText, Token, with_letters

_CHOICE: Final = re.compile(r"\(([^()]*)\)")
_ENDS: Final = re.compile(r"[.!?;]")
_STAR: Final = "zqzq"
_INSIDE: Final = frozenset("-.*_·|/+~")
"""Signs that may stand inside a word to hide it."""

_SHORTEST_DIVIDED: Final = 5  # letters of a word that is found although such a sign stands in it
_SHORTEST_SPELT: Final = 5  # letters of a word that is found among letters spelt without a pause
_LONGEST_WORD: Final = 26  # letters: `anticonstitutionnellement` has 25
_SHORTEST_BEGINNING: Final = 3
_MOST_PIECES: Final = 12


@dataclass(frozen=True, slots=True)
class WordListChange:
    """What a desk changes in a word list.

    Attributes:
        add: Entries besides those shipped.
        remove: Entries that do not count any more, as the shipped list writes them, each with the reason.
        off: The reason why nothing of the list counts. Empty: it counts.
    """

    add: tuple[str, ...] = ()
    remove: Mapping[str, str] = field(default_factory=dict)
    off: str = ""


class Match(NamedTuple):
    """A phrase of a list in a text: its first token, and one past its last."""

    first: int
    end: int


_Phrase = tuple[str, tuple[str, ...]]
"""The name of a list, and the words of one of its phrases."""


class WordLists:
    """Word lists by name, for one language.

    Attributes:
        entries: The entries of each list, as written.
    """

    __slots__ = ("_endings", "_phrases", "_spelt", "entries")

    def __init__(self, entries: Mapping[str, Iterable[str]]) -> None:
        self.entries = {name: tuple(words) for name, words in entries.items()}
        self._phrases: dict[str, list[_Phrase]] = {}
        self._endings: dict[str, list[_Phrase]] = {}
        self._spelt: dict[str, list[_Phrase]] = {}  # without pauses between the words
        for name, words in self.entries.items():
            for phrase in (phrase for entry in words for phrase in _phrases(entry)):
                kind = self._endings if phrase[0].endswith("*") else self._phrases
                kind.setdefault(phrase[0].removesuffix("*"), []).append((name, phrase))
                self._spelt.setdefault("".join(phrase), []).append((name, ("".join(phrase),)))

    def find(self, folded: FoldedText) -> dict[str, list[Match]]:
        """Return where each list has a phrase in a text, the longest at each place, in order."""
        found: dict[str, list[Match]] = {}
        for at in range(len(folded.tokens)):
            longest: dict[str, int] = {}
            for phrases, after in self._starts(folded, at):
                for name, phrase in phrases:
                    if (end := _end(phrase, folded.tokens, after)) > longest.get(name, 0):
                        longest[name] = end
            for name, end in longest.items():
                matches = found.setdefault(name, [])
                if not matches or end > matches[-1].end:
                    matches.append(Match(at, end))
        return found

    def holds(self, name: str, word: str) -> bool:
        """Return True if a list has this one word, in plain small letters."""
        return any(name == other and len(phrase) == 1 for other, phrase in self._beginning(word))

    def _starts(self, folded: FoldedText, at: int) -> Iterator[tuple[Iterable[_Phrase], int]]:
        """Yield the phrases that may begin at a token, and the token after their first word."""
        tokens, token = folded.tokens, folded.tokens[at]
        for word in (token.word, *with_letters(token.word)):
            if phrases := self._beginning(word):
                yield phrases, at + 1
        joined, end = token.word, at + 1
        while end < len(tokens) and end - at < _MOST_PIECES and tokens[end].start == tokens[end - 1].end:
            joined += tokens[end].word  # a hashtag in mixed case
            end += 1
            yield self._beginning(joined), end
        if end == at + 1 < len(tokens) and folded.text[token.end : tokens[end].start] in _INSIDE:
            joined += tokens[end].word
            if len(joined) >= _SHORTEST_DIVIDED:
                yield self._alone(joined), end + 1
        if token.end - token.start >= 2 * len(token.word) - 1 > 1:
            for start in range(len(token.word) - _SHORTEST_SPELT + 1):
                for length in range(_SHORTEST_SPELT, _LONGEST_WORD):
                    yield self._spelt.get(token.word[start : start + length], ()), at + 1

    def _beginning(self, word: str) -> list[_Phrase]:
        """Return the phrases whose first word this is."""
        found = [phrase for form in singular(word) for phrase in self._phrases.get(form, ())]
        for length in range(_SHORTEST_BEGINNING, len(word) + 1) if len(word) < _LONGEST_WORD else ():
            found += self._endings.get(word[:length], ())
        return found

    def _alone(self, word: str) -> list[_Phrase]:
        """Return the phrases that are this one word."""
        return [found for form in singular(word) for found in self._phrases.get(form, ()) if len(found[1]) == 1]


def _end(phrase: tuple[str, ...], tokens: tuple[Token, ...], at: int) -> int:
    """Return one past the last token of a phrase whose first word ends before *at*, 0 if it is not there."""
    end = at + len(phrase) - 1
    if end > len(tokens):
        return 0
    for word, token in zip(phrase[1:], tokens[at:end], strict=True):
        if not any(_is(word, form) for read in (token.word, *with_letters(token.word)) for form in singular(read)):
            return 0
    return end


def _is(word: str, token: str) -> bool:
    return token.startswith(word[:-1]) if word.endswith("*") else token == word


def singular(word: str) -> tuple[str, ...]:
    """Return a word, and what it may be the plural of."""
    return (word, word[:-1]) if len(word) > _SHORTEST_BEGINNING and word[-1] in "sx" else (word,)


def _phrases(entry: str) -> Iterator[tuple[str, ...]]:
    """Yield the phrases that an entry stands for, each as its words."""
    parts = _CHOICE.split(entry)
    choices = [part.split("|") if number % 2 else [part] for number, part in enumerate(parts)]
    for chosen in product(*choices):
        # A star would end a word for the folding.
        tokens = FoldedText("".join(chosen).replace("*", _STAR)).tokens
        yield tuple(token.word.replace(_STAR, "*") for token in tokens)


@cache
def shipped_words(language: str) -> Mapping[str, tuple[str, ...]]:
    """Return the shipped lists of a language by name. `""` has those of every language."""
    name = f"words.{language}.toml" if language else "words.toml"
    source = files(__package__) / "data" / name
    if not source.is_file():
        return MappingProxyType({})
    tables = tomllib.loads(source.read_text("utf-8"))
    return MappingProxyType({name: tuple(table["words"]) for name, table in tables.items()})


class Vocabulary:
    """The word lists of an installation, by language.

    Attributes:
        changes: What the desk changes, by the name of the list.
    """

    __slots__ = ("_lists", "changes")

    def __init__(self, changes: Mapping[str, WordListChange] = MappingProxyType({})) -> None:
        self.changes = changes
        self._lists: dict[str, WordLists] = {}

    def of(self, language: str) -> WordLists:
        """Return the lists of a language. One without lists of its own has those of every language only."""
        language = language.partition("-")[0]
        if (lists := self._lists.get(language)) is None:
            # Two threads at once may both build the same.
            self._lists[language] = lists = self._read(language)
        return lists

    def _read(self, language: str) -> WordLists:
        lists = {**shipped_words(""), **shipped_words(language)}
        for name, change in self.changes.items():
            kept = [entry for entry in lists.get(name, ()) if entry not in change.remove]
            lists[name] = () if change.off else (*kept, *change.add)
        return WordLists(lists)


SHIPPED: Final = Vocabulary()
"""The word lists as shipped."""


@dataclass(frozen=True)
class TextPart:
    """One text of a message, folded.

    Attributes:
        field: The field of the message that holds it: `headline`, `translations.en.headline`, `images.0.alt`.
        language: Its language, BCP 47.
        words: The word lists of that language.
    """

    field: str
    language: str
    folded: FoldedText
    words: WordLists

    @cached_property
    def found(self) -> Mapping[str, list[Match]]:
        """Where each word list has a phrase in it."""
        return self.words.find(self.folded)

    def has(self, *lists: str) -> bool:
        """Return True if one of these lists has a phrase in it."""
        return any(name in self.found for name in lists)

    def span(self, match: Match) -> tuple[int, int]:
        """Return where a phrase is in the text as typed."""
        tokens = self.folded.tokens
        return self.folded.span(tokens[match.first].start, tokens[match.end - 1].end)

    def sentence(self, at: int) -> range:
        """Return the tokens of the sentence that holds a token."""
        tokens, text = self.folded.tokens, self.folded.text
        first, end = at, at + 1
        while first and not _ENDS.search(text, tokens[first - 1].end, tokens[first].start):
            first -= 1
        while end < len(tokens) and not _ENDS.search(text, tokens[end - 1].end, tokens[end].start):
            end += 1
        return range(first, end)

    def near(self, match: Match, *lists: str) -> Match | None:
        """Return a phrase of one of these lists in the same sentence."""
        sentence = self.sentence(match.first)
        return next((other for name in lists for other in self.found.get(name, ()) if other.first in sentence), None)
