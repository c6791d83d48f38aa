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

import json
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache, partial
from importlib.resources import files
from itertools import chain, product, repeat
from math import prod
from types import MappingProxyType
from typing import Final, NamedTuple

from policenotify.checks.folds import FoldedText, with_letters
from policenotify.checks.verbs import with_forms
from policenotify.text.patterns import lazy_pattern

_MOST_CHOICES: Final = 32
"""Phrases of one entry that are written out. Above it they are kept in parts: 80 entries would have 126,000."""

_ACCENTS: Final = str.maketrans({**dict(zip("àâçéèêëîïôùûü", "aaceeeeiiouuu", strict=True)), "œ": "oe"})
_CHOICE: Final = lazy_pattern(r"\(([^()]*)\)")
_SHIPPED_LIST: Final = lazy_pattern(r"^\[(\w+)\]\nabout = .*\nwords = (\[[^\]]*)\]$", re.MULTILINE)
"""A list as the shipped files write it. The reader of JSON takes a tenth of the time that one of TOML takes for all."""

_ENDS: Final = lazy_pattern(r"[.!?;]")
_STOPS: Final = frozenset(".!?;")
_PAUSE: Final = 2  # characters between two words, with a stop among them, that part two sentences
_END: Final = ". "
_SENTENCE: Final = 60  # words
_STAR: Final = "zqzq"
_INSIDE: Final = frozenset("-.*_·|/+~")
"""Signs that may stand inside a word to hide it."""

_SHORTEST_DIVIDED: Final = 5  # letters of a word that is found although such a sign stands in it
_SHORTEST_SPELT: Final = 5  # letters of a word that is found among letters spelt without a pause
_LONGEST_WORD: Final = 26  # letters: `anticonstitutionnellement` has 25
_SHORTEST_BEGINNING: Final = 3
_START: Final = 3  # letters of a word by which entries are found; one with any ending has as many
_PLAIN: Final = lazy_pattern(r"[a-z]{3}|[a-z]{1,2}(?= )")
_MET: Final = 20_000  # words behind words
_MOST_PIECES: Final = 7
_LONGEST_TAG: Final = 26  # pieces of a whole hashtag


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


_new_match: Final = partial(tuple.__new__, Match)  # what the class calls, without a call of Python for each match


class _Node:
    """A word of some phrases: those that end with it, and the words that may follow."""

    __slots__ = ("beginnings", "following", "lists", "own")

    def __init__(self) -> None:
        # Most nodes are leaves: what they have not is one empty object for all, and replaced before it is changed.
        self.lists: tuple[str, ...] = ()
        self.following: dict[str, list[_Node]] = _NO_NODES
        self.beginnings: dict[str, list[_Node]] = _NO_NODES  # words with any ending
        self.own: dict[str, _Node] = _NO_NODE  # those of them to which only this node leads

    def add(self, name: str, phrase: tuple[str, ...]) -> None:
        """Add a phrase of a list."""
        node = self
        for word in phrase:
            node = node.follow(word)
        node.lists += (name,)

    def add_parts(self, name: str, parts: Iterable[Iterable[tuple[str, ...]]]) -> None:
        """Add all phrases that consist of one choice of each part, without writing them out."""
        ends = [self]
        for part in parts:
            after, skipped = _Node(), False
            for words in part:
                skipped = skipped or not words
                for node in ends if words else ():
                    last = node
                    for word in words[:-1]:
                        last = last.follow(word)
                    last.lead(words[-1], after)
            ends = [*ends, after] if skipped else [after]
        for node in ends:
            node.lists += (name,)

    def follow(self, word: str) -> _Node:
        """Return the node of a word to which only this node leads."""
        if (node := self.own.get(word)) is None:
            if self.own is _NO_NODE:
                self.own = {}
            self.own[word] = node = _Node()
            self.lead(word, node)
        return node

    def lead(self, word: str, node: _Node) -> None:
        """Let a word lead to a node."""
        if word[-1] == "*":
            if self.beginnings is _NO_NODES:
                self.beginnings = {}
            self.beginnings.setdefault(word[:-1], []).append(node)
            return
        if self.following is _NO_NODES:
            self.following = {}
        if (nodes := self.following.get(word)) is None:
            self.following[word] = [node]
        else:
            nodes.append(node)

    def after(self, forms: tuple[str, ...]) -> Iterator[_Node]:
        """Yield the nodes of a token that may be read in these forms."""
        for form in forms:
            yield from self.following.get(form, ())
        for word in forms[: 1 if forms[0].isalpha() else None] if self.beginnings else ():
            for length in range(_SHORTEST_BEGINNING, min(len(word), _LONGEST_WORD) + 1):
                yield from self.beginnings.get(word[:length], ())


_NO_NODES: Final[dict[str, list[_Node]]] = {}
_NO_NODE: Final[dict[str, _Node]] = {}


class _Bucket:
    """The entries of all lists that may begin with the same three letters, or with the same shorter word."""

    __slots__ = ("node", "openings", "spelt")

    def __init__(self, beginning: str, entries: Iterable[tuple[str, str]]) -> None:
        self.node = _Node()
        self.spelt: dict[str, list[str]] = {}  # the lists of phrases without pauses between the words
        for name, entry in entries:
            parts = [_phrases(part) for part in _parts(entry)] if "(" in entry else [{_words(entry)}]
            if prod(map(len, parts)) > _MOST_CHOICES:
                self.node.add_parts(name, parts)
                continue
            for phrase in {tuple(chain.from_iterable(chosen)) for chosen in product(*parts)}:
                if phrase and phrase[0][:_START] == beginning:
                    self.node.add(name, phrase)
                    self.spelt.setdefault("".join(phrase), []).append(name)
        self.openings: set[str] = {phrase[:_SHORTEST_SPELT] for phrase in self.spelt}


class _Root:
    """The start of all phrases. What begins like no word of a text is not read: that is most of the lists.

    Two threads at once may both read the same. Neither changes what the other has made.
    """

    __slots__ = ("_buckets", "_entries", "lists")

    def __init__(self, lists: Mapping[str, Iterable[str]]) -> None:
        self.lists: tuple[str, ...] = ()
        self._buckets: dict[str, _Bucket] = {}
        self._entries: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        plain = _PLAIN.match
        for name, entries in lists.items():
            for entry in entries:
                if begins := plain(entry):  # as nearly all do
                    self._entries[begins[0]].append((name, entry))
                    continue
                for beginning in _beginnings(entry):
                    self._entries[beginning].append((name, entry))

    def after(self, forms: tuple[str, ...]) -> Iterator[_Node]:
        """See `_Node.after`."""
        for beginning in dict.fromkeys(form[:_START] for form in forms):
            yield from self._bucket(beginning).node.after(forms)

    def spelt(self, word: str) -> Iterator[_Bucket]:
        """Yield what may have phrases that are spelt like a word without a pause."""
        for length in range(1, _START + 1):
            yield self._bucket(word[:length])

    def _bucket(self, beginning: str) -> _Bucket:
        if (bucket := self._buckets.get(beginning)) is None:
            entries = self._entries.get(beginning)
            self._buckets[beginning] = bucket = _Bucket(beginning, entries) if entries else _NO_BUCKET
        return bucket


def _beginnings(entry: str) -> set[str]:
    """Return the first letters of each word with which an entry may begin, a shorter word whole.

    An entry that begins in plain letters is found without it.
    """
    choice = _CHOICE.match(entry)
    chosen = choice[1].split("|") if choice else [""]
    behind = entry[choice.end() if choice else 0 :][:_START]
    plains = [_PLAIN.match(f"{start}{behind}".translate(_ACCENTS)) for start in chosen]
    if all(plains):
        return {plain[0] for plain in plains if plain}
    found: set[str] = set()
    for part in _parts(entry):
        phrases = _phrases(part)
        found.update(phrase[0][:_START] for phrase in phrases if phrase)
        if () not in phrases:
            break
    return found


class _State:
    """Where some phrases stand after the words read so far: the nodes reached, and what the next words lead to."""

    __slots__ = ("following", "lists", "nodes")

    def __init__(self, nodes: tuple[_Node | _Root, ...]) -> None:
        self.nodes = nodes
        self.lists = tuple(dict.fromkeys(name for node in nodes for name in node.lists))
        self.following: dict[str, _State] = {}


_NOWHERE: Final = _State(())
_NO_BUCKET: Final = _Bucket("", ())


class WordLists:
    """Word lists by name, for one language.

    Attributes:
        entries: The entries of each list, as written.
    """

    __slots__ = ("_met", "_root", "_start", "entries")

    def __init__(self, entries: Mapping[str, Iterable[str]]) -> None:
        self.entries: dict[str, tuple[str, ...]] = {name: tuple(words) for name, words in entries.items()}
        self._root = _Root(self.entries)
        self._start = _State((self._root,))
        self._met = 0  # words that the states know

    def find(self, folded: FoldedText) -> dict[str, list[Match]]:
        """Return where each list has a phrase in a text, the longest at each place, in order."""
        found: defaultdict[str, list[Match]] = defaultdict(list)
        words, joints = _columns(folded)
        for at, word in enumerate(words):
            state, joint = self._start.following.get(word) or self._next(self._start, word), joints[at]
            longest: Iterable[tuple[str, int]]
            is_apart = folded.may_be_apart and len(word) >= _SHORTEST_SPELT and folded.is_apart(folded.tokens[at])
            if is_apart or not joint or (joint in _INSIDE and len(word) + len(words[at + 1]) >= _SHORTEST_DIVIDED):
                longest = self._longest(folded, at, words, joints)
            elif state is _NOWHERE:
                continue
            elif joint == _END or state.following.get(words[at + 1]) is _NOWHERE:
                longest = zip(state.lists, repeat(at + 1))  # as with most words
            else:
                longest = self._walk(state, at, words, joints).items()
            for name, end in longest:
                matches = found[name]
                if not matches or end > matches[-1].end:
                    matches.append(_new_match((at, end)))
        return dict(found)

    def _walk(self, state: _State, at: int, words: list[str], joints: list[str]) -> dict[str, int]:
        """Return the lists that have a phrase from a token on, with one past the last token of the longest.

        Args:
            state: The state after the token, or those joined to it.
            at: The last of them.
            words: The word of each token in the folded text.
            joints: What stands behind each.
        """
        longest = dict.fromkeys(state.lists, at + 1)
        while state is not _NOWHERE and (len(joints[at]) < _PAUSE or _STOPS.isdisjoint(joints[at])):
            at += 1
            state = state.following.get(words[at]) or self._next(state, words[at])
            longest.update(dict.fromkeys(state.lists, at + 1))
        return longest

    def _longest(self, folded: FoldedText, at: int, words: list[str], joints: list[str]) -> Iterable[tuple[str, int]]:
        """Return the same for a token that may be joined to those behind it, or of which a part may be a phrase."""
        longest = self._walk(self._next(self._start, words[at]), at, words, joints)
        found: list[tuple[str, int]] = []
        if not joints[at] or joints[at] in _INSIDE:
            for word, end in _joined(folded, at):
                for bucket in self._root.spelt(word):
                    found += zip(bucket.spelt.get(word, ()), repeat(end))
                found += self._walk(self._next(self._start, word), end - 1, words, joints).items()
        token = folded.tokens[at]
        if len(token.word) >= _SHORTEST_SPELT and folded.is_apart(token):
            found += zip(self._within(token.word), repeat(at + 1))
        for name, end in found:
            longest[name] = max(end, longest.get(name, 0))
        return longest.items()

    def _next(self, state: _State, word: str) -> _State:
        """Return the state after a word more, from a cache of the words met lately."""
        if (after := state.following.get(word)) is None:
            if self._met >= _MET:
                self._start, self._met = _State((self._root,)), 0
            forms = _forms(word)
            nodes = tuple(dict.fromkeys(following for node in state.nodes for following in node.after(forms)))
            after = state.following[word] = _State(nodes) if nodes else _NOWHERE
            self._met += 1
        return after

    def holds(self, name: str, word: str) -> bool:
        """Return True if a list has this one word, in plain small letters."""
        return name in self._next(self._start, word).lists

    def _within(self, word: str) -> Iterator[str]:
        """Yield the lists of the phrases without pauses that a word contains."""
        for start in range(len(word) - _SHORTEST_SPELT + 1):
            for bucket in self._root.spelt(word[start:]):
                if word[start : start + _SHORTEST_SPELT] in bucket.openings:
                    for length in range(_SHORTEST_SPELT, _LONGEST_WORD):
                        yield from bucket.spelt.get(word[start : start + length], ())


def _columns(folded: FoldedText) -> tuple[list[str], list[str]]:
    """Return for each token its word in the folded text, and what stands before the next one: a stop at the end."""
    if not folded.tokens:
        return [], []
    text, (_, starts, ends, _, _) = folded.text, zip(*folded.tokens, strict=True)
    words = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    return words, [*(text[end:start] for start, end in zip(starts[1:], ends, strict=False)), _END]


def _joined(folded: FoldedText, at: int) -> Iterator[tuple[str, int]]:
    """Yield a token with those that follow without a space, and one past the last of them.

    They are a hashtag in mixed case, `#cOuPable`, or a word with a sign in it, `cou-pable`.
    """
    tokens = folded.tokens
    joined, end = tokens[at].word, at + 1
    most = _LONGEST_TAG if folded.text[max(0, tokens[at].start - 1) : tokens[at].start] == "#" else _MOST_PIECES
    while end < len(tokens) and end - at < most and tokens[end].start == tokens[end - 1].end:
        joined += tokens[end].word
        end += 1
        yield joined, end
    if end == at + 1 < len(tokens) and folded.text[tokens[at].end : tokens[end].start] in _INSIDE:
        yield joined + tokens[end].word, end + 1


@lru_cache(maxsize=8192)
def _forms(word: str) -> tuple[str, ...]:
    """Return the readings of a word: itself, with letters for figures, and what it may be the plural of."""
    forms = (word, *with_letters(word))
    plurals = tuple(form[:-1] for form in forms if len(form) > _SHORTEST_BEGINNING and form[-1] in "sx")
    return forms + plurals


def _parts(entry: str) -> tuple[str, ...]:
    """Return an entry cut at each space outside of brackets, and behind brackets of whole words: `(|un |une )`."""
    if "(" not in entry:
        return tuple(entry.split(" "))
    parts, depth, start, opened, whole = [], 0, 0, 0, False
    for at, letter in enumerate(entry):
        if letter == "(" and not depth:
            opened = at
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and not depth and opened == start:
            chosen = tuple(_alternatives(entry[opened + 1 : at]))
            whole = all(not each or each.endswith(" ") for each in chosen) and any(chosen)
            if whole:
                parts.append(entry[start : at + 1])
                start = at + 1
        elif letter == " " and not depth:
            parts.append(entry[start:at])
            start = at + 1
    return (*parts, entry[start:])


def _phrases(entry: str) -> frozenset[tuple[str, ...]]:
    """Return the phrases that an entry stands for, each as its words."""
    return frozenset(_words(phrase) for phrase in _written_out(entry))


def _words(phrase: str) -> tuple[str, ...]:
    """Return the words of a phrase without brackets."""
    if not phrase.isascii():
        phrase = phrase.translate(_ACCENTS)  # most need no more folding
    pieces = phrase.split()
    if phrase.isascii() and "".join(pieces).isalpha() and phrase.islower():
        return tuple(pieces)
    return tuple(word for piece in pieces for word in _folded(piece))


@cache
def _folded(piece: str) -> tuple[str, ...]:
    """Return the words of a piece without spaces."""
    # A star would end a word for the folding.
    return tuple(token.word.replace(_STAR, "*") for token in FoldedText(piece.replace("*", _STAR)).tokens)


def _written_out(entry: str) -> list[str]:
    """Return the texts that an entry with brackets stands for."""
    pieces = _CHOICE.split(entry)  # in turn what stands outside of brackets, and inside
    if len(pieces) > 1 and any("(" in outside for outside in pieces[::2]):  # brackets in brackets
        start = entry.index("(")
        end = _closing(entry, start)
        rest = _written_out(entry[end + 1 :])
        inside = chain.from_iterable(map(_written_out, _alternatives(entry[start + 1 : end])))
        return [f"{entry[:start]}{chosen}{after}" for chosen in inside for after in rest]
    return list(map("".join, product(*(piece.split("|") if at % 2 else (piece,) for at, piece in enumerate(pieces)))))


def _closing(entry: str, start: int) -> int:
    """Return where the bracket that opens at *start* closes, the end of the entry for one that never does."""
    depth = 0
    for at in range(start, len(entry)):
        depth += (entry[at] == "(") - (entry[at] == ")")
        if not depth:
            return at
    return len(entry)


def _alternatives(inside: str) -> Iterator[str]:
    """Yield what stands between the bars of a bracket, outside of the brackets in it."""
    if "(" not in inside:
        yield from inside.split("|")
        return
    depth = start = 0
    for at, letter in enumerate(inside):
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and not depth:
            yield inside[start:at]
            start = at + 1
    yield inside[start:]


@cache
def shipped_words(language: str) -> Mapping[str, tuple[str, ...]]:
    """Return the shipped lists of a language by name. `""` has those of every language."""
    name = f"words.{language}.toml" if language else "words.toml"
    source = files(__package__) / "data" / name
    if not source.is_file():
        return MappingProxyType({})
    found = _SHIPPED_LIST.findall(source.read_text("utf-8"))
    return MappingProxyType({name: tuple(json.loads(f"{words.rstrip().rstrip(',')}]")) for name, words in found})


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
        if (lists := self._lists.get(language)) is None:
            # Two threads at once may both build the same.
            self._lists[language] = lists = self._read(language)
        return lists

    def _read(self, language: str) -> WordLists:
        lists = {**shipped_words(""), **shipped_words(language)}
        for name, change in self.changes.items():
            kept = [entry for entry in lists.get(name, ()) if entry not in change.remove]
            lists[name] = () if change.off else (*kept, *change.add)
        return _word_lists(tuple(lists.items()))


@lru_cache(maxsize=8)
def _word_lists(entries: tuple[tuple[str, tuple[str, ...]], ...]) -> WordLists:
    """Return the lists with these entries. They take long to build, and several publishers of a process share them."""
    return WordLists(with_forms(dict(entries)))


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

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Its words in plain small letters, each once."""
        return frozenset([token.word for token in self.folded.tokens])

    def has(self, *lists: str) -> bool:
        """Return True if one of these lists has a phrase in it."""
        return not self.found.keys().isdisjoint(lists)

    def span(self, match: Match) -> tuple[int, int]:
        """Return where a phrase is in the text as typed."""
        tokens = self.folded.tokens
        return self.folded.span(tokens[match.first].start, tokens[match.end - 1].end)

    @cached_property
    def in_capitals(self) -> bool:
        """True if most of its letters are capitals, so that a capital means nothing."""
        capitals = sum(map(str.isupper, self.folded.original))
        return capitals > sum(map(str.islower, self.folded.original)) * 2

    @cached_property
    def in_small_letters(self) -> bool:
        """True if no word has a capital but the first ones of sentences."""
        ends = {0, *self._sentence_ends}
        return not any(token.capital for at, token in enumerate(self.folded.tokens) if at not in ends)

    def sentence(self, at: int) -> range:
        """Return the tokens of the sentence that holds a token, at most so many on each side."""
        ends = self._sentence_ends
        place = bisect_right(ends, at)
        first = max(ends[place - 1], at - _SENTENCE) if place else max(0, at - _SENTENCE)
        last = min(len(self.folded.tokens), at + _SENTENCE)
        return range(first, min(ends[place], last) if place < len(ends) else last)

    @cached_property
    def _sentence_ends(self) -> list[int]:
        """The tokens before which a sentence ends, in order."""
        starts = [token.start for token in self.folded.tokens]
        return sorted({bisect_left(starts, end.start()) for end in _ENDS.finditer(self.folded.text)})

    def within(self, name: str, tokens: range) -> list[Match]:
        """Return the phrases of a list that begin at these tokens."""
        matches = self.found.get(name, [])
        first = bisect_left(matches, tokens.start, key=_first)
        return matches[first : bisect_left(matches, tokens.stop, lo=first, key=_first)]

    def near(self, match: Match, *lists: str) -> Match | None:
        """Return a phrase of one of these lists in the same sentence."""
        sentence = self.sentence(match.first)
        return next((other for name in lists for other in self.within(name, sentence)), None)


def _first(match: Match) -> int:
    return match.first
