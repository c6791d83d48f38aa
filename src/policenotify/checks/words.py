"""The word lists: read from TOML, changed by a desk, found in a text in one pass.

A list is a table of `words.toml`, with its entries by language:

```toml
[guilt]
why = "Words that call a person guilty."
fr = ["meurtri(er|ère)", "auteur(|s) (du|des) (meurtre|faits)", "handicap*"]
en = ["murderer"]
```

An entry is a phrase of one or more words. Brackets hold alternatives, a star any ending of a word of three letters or
more. Accents and case do not count, and a last word matches its plural, too.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import pairwise, product
from types import MappingProxyType
from typing import Any, Final, NamedTuple

LANGUAGES: Final = ("fr", "en")
"""The languages that have word lists."""

_PIECE: Final = re.compile(r"\(([^()]*)\)|([^()]+)")
_WORD: Final = re.compile(r"[^\W_]+\*?")
_STOPS: Final = frozenset(".!?;\n")
_START: Final = 3
"""Letters by which words with any ending are found: the one index has them, and the letter of a second word."""


class Token(NamedTuple):
    """A word of a folded text.

    Attributes:
        word: In plain small letters.
        start: Its first character in the folded text.
        end: One past its last one.
        capital: True if it begins with a capital.
        capitals: True if it has two letters or more, all of them capitals.
    """

    word: str
    start: int
    end: int
    capital: bool
    capitals: bool


class Match(NamedTuple):
    """Some words of a text: the first, and one past the last."""

    first: int
    end: int


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


class WordLists:
    """Word lists by name, for one language.

    Attributes:
        entries: The entries of each list, as written.
    """

    __slots__ = ("_phrases", "_single", "entries")

    def __init__(self, entries: Mapping[str, Iterable[str]]) -> None:
        self.entries: dict[str, tuple[str, ...]] = {name: tuple(words) for name, words in entries.items()}
        self._phrases: defaultdict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        self._single: defaultdict[str, set[str]] = defaultdict(set)
        for name, phrases in self.entries.items():
            for phrase in {phrase for entry in phrases for phrase in written_out(entry)}:
                first, *rest = phrase
                begins = f"{first[:_START]}*" if first[-1] == "*" else first
                self._phrases[f"{begins} {rest[0][0]}" if rest else begins].append((phrase, name))
                if not rest:
                    self._single[name].add(first)

    def find(self, text: str, tokens: Sequence[Token]) -> dict[str, list[Match]]:
        """Return where each list has a phrase in a text, the longest at each place, in order."""
        found: defaultdict[str, list[Match]] = defaultdict(list)
        words = [token.word for token in tokens]
        for at, word in enumerate(words):
            following = words[at + 1][0] if at + 1 < len(words) else ""
            for phrase, name in self._candidates(word, following):
                end, matches = at + len(phrase), found[name]
                if end > len(words) or (matches and end <= matches[-1].end):
                    continue
                alone = len(phrase) == 1 and phrase[0][-1] != "*"
                if alone or (_fits(phrase, words[at:end]) and not _is_divided(text, tokens[at:end])):
                    if matches and matches[-1].first == at:
                        matches.pop()
                    matches.append(Match(at, end))
        return {name: matches for name, matches in found.items() if matches}

    def _candidates(self, word: str, following: str) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the phrases that may begin with a word, before one with this first letter."""
        start = f"{word[:_START]}*"
        keys = (word, start, f"{word} {following}", f"{start} {following}", *([word[:-1]] if word[-1] in "sx" else ()))
        for key in keys:
            yield from self._phrases.get(key, ())

    def holds(self, name: str, word: str) -> bool:
        """Return True if a list has this one word, in plain small letters."""
        single: Collection[str] = self._single.get(name, ())
        return word in single or (word[-1] in "sx" and word[:-1] in single)


def _fits(phrase: tuple[str, ...], words: Sequence[str]) -> bool:
    last = words[-1]
    plural = last[-1] in "sx" and phrase[-1] == last[:-1]
    return all(map(_is_word, phrase[:-1], words)) and (plural or _is_word(phrase[-1], last))


def _is_word(pattern: str, word: str) -> bool:
    return pattern == word or (pattern[-1] == "*" and word.startswith(pattern[:-1]))


def _is_divided(text: str, tokens: Sequence[Token]) -> bool:
    """Return True if a sentence ends between these words."""
    gaps = (text[before.end : after.start] for before, after in pairwise(tokens))
    return any(len(gap) > 1 and not _STOPS.isdisjoint(gap) for gap in gaps)  # `bit.ly` is one


def written_out(entry: str) -> set[tuple[str, ...]]:
    """Return the phrases that an entry stands for, each as its words in plain small letters.

    >>> sorted(written_out("voleu(r|se)"))
    [('voleur',), ('voleuse',)]
    """
    decomposed = unicodedata.normalize("NFKD", entry.replace("œ", "oe").casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    pieces = [choice.split("|") if choice or not letters else [letters] for choice, letters in _PIECE.findall(plain)]
    phrases = {tuple(_WORD.findall("".join(chosen))) for chosen in product(*pieces)}
    return phrases - {()}


@cache
def _tables() -> Mapping[str, Any]:
    return MappingProxyType(tomllib.loads((files("policenotify.checks.fr") / "words.toml").read_text("utf-8")))


@cache
def shipped_words(language: str) -> Mapping[str, tuple[str, ...]]:
    """Return the shipped lists of a language by name. Those under `all` count in every language."""
    lists = {
        name: (*table.get("all", ()), *table.get(language, ()))
        for name, table in _tables().items()
        if "all" in table or language in table
    }
    return MappingProxyType(lists)


@cache
def _shipped(language: str) -> WordLists:
    return WordLists(with_forms(shipped_words(language)))


class Vocabulary:
    """The word lists of an installation, by language.

    Attributes:
        changes: What the desk changes, by the name of the list.
    """

    __slots__ = ("_lists", "changes")

    def __init__(self, changes: Mapping[str, WordListChange] = MappingProxyType({})) -> None:
        self.changes: Mapping[str, WordListChange] = changes
        self._lists: dict[str, WordLists] = {}

    def of(self, language: str) -> WordLists:
        """Return the lists of a language. One without lists of its own has those of every language only."""
        language = language.partition("-")[0]
        if language not in self._lists:  # two threads at once may both build the same
            self._lists[language] = self._changed(language) if self.changes else _shipped(language)
        return self._lists[language]

    def _changed(self, language: str) -> WordLists:
        lists = dict(shipped_words(language))
        for name, change in self.changes.items():
            kept = [entry for entry in lists.get(name, ()) if entry not in change.remove]
            lists[name] = () if change.off else (*kept, *change.add)
        return WordLists(with_forms(lists))


SHIPPED: Final = Vocabulary()
"""The word lists as shipped."""


def with_forms(lists: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return the lists, and what the verbs of `crime` make: `crime_done` for `a volé`, `crime_doing` for `volait`."""
    known = {name: tuple(words) for name, words in lists.items()}
    stems = [entry.removesuffix("er") for entry in known.get("crime", ()) if entry.endswith("er")]
    soft = {stem: f"{stem}e" if stem.endswith("g") else stem for stem in stems}
    known["crime_done"] = (*known.get("crime_done", ()), *(f"{stem}e(|e|s|es)" for stem in stems))
    known["crime_doing"] = tuple(f"{soft[stem]}a(it|ient)" for stem in stems)
    return known
