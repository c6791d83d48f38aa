"""Where a text holds web addresses, as twitter-text finds them; X and Mastodon differ in a few characters only.

What twitter-text 3.1.0 (Apache-2.0, <https://github.com/twitter/twitter-text>) says with one regular expression, at a
cost that grows with the square of the text, is done here dot by dot, in a time that grows with the text: an address
needs a dot between two characters of a domain, and most dots of a text end a sentence.

An address is a chain of labels and dots that ends in a known top-level domain, the last that there is; before it may
stand a scheme, after it a port, a path and a query. It begins at the text's first character, or after one that is no
ASCII letter or digit and none of `@`, `$`, `#`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

SPACES: Final = r"\t-\r \x85\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Inside `[]`: what twitter-text takes for a space (`spacesGroup`)."""

DIRECTIONS: Final = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Inside `[]`: marks of direction (`directionalMarkersGroup`)."""

INVALID: Final = r"\ufffe\ufeff\uffff"
"""Inside `[]`: what makes a post invalid on X (`invalidCharsGroup`)."""

MAX_LABEL: Final = 63
"""The longest label of a domain, in Punycode: RFC 1035, section 2.3.4."""

MAX_ADDRESS: Final = 4096
"""The longest address: `MAX_URL_LENGTH` of twitter-text."""

MAX_SHORT: Final = 40
"""The longest name behind `t.co/`: `MAX_TCO_SLUG_LENGTH` of twitter-text."""

_BEFORE: Final = rf"[^A-Za-z0-9@\uff20$#\uff03{INVALID}]"
_RUN: Final = re.compile(r"[0-9A-Za-z]++")
_WHOLE: Final = re.compile(r"[0-9A-Za-z]++(?![-@+])")  # what follows makes another word of it
_PORT: Final = re.compile(r":[0-9]+")
_LONGEST_SCHEME: Final = len("gopher://")


class UrlCandidate(NamedTuple):
    """What may be an address; all places are in the text.

    Attributes:
        start: Its first character.
        domain: The first character of its domain; more than `start` where it has a scheme.
        path: One past its domain.
        end: One past its last character.
        before: The character before it; nothing at the beginning of the text.
        has_path: Whether a path follows the domain, and not at most a port and a query.
    """

    start: int
    domain: int
    path: int
    end: int
    before: str
    has_path: bool


class TopLevelDomains(NamedTuple):
    """Top-level domains, ready to be looked up.

    Attributes:
        ascii: Those in ASCII, in small letters.
        others: The rest in capitals, by their first character, the longest first.
    """

    ascii: frozenset[str]
    others: dict[str, tuple[str, ...]]


@lru_cache(maxsize=8)
def top_level_domains(names: frozenset[str]) -> TopLevelDomains:
    """Prepare a set of top-level domains, given in small letters and not in Punycode."""
    others: dict[str, tuple[str, ...]] = {}
    for name in sorted((canonicalize(name) for name in names if not name.isascii()), key=len, reverse=True):
        others[name[0]] = (*others.get(name[0], ()), name)
    return TopLevelDomains(frozenset(name for name in names if name.isascii()), others)


def canonicalize(text: str) -> str:
    """The text as JavaScript compares it when case is ignored: ECMA-262, `Canonicalize` of regular expressions."""
    return "".join(map(_capital, text))


def _capital(sign: str) -> str:
    capital = sign.upper()
    return capital if len(capital) == 1 and (sign.isascii() or not capital.isascii()) else sign


class UrlGrammar:
    """The characters in which X and Mastodon differ.

    Args:
        no_domain: Inside `[]`, what no domain contains, besides `-` and `_`, that a label may have inside.
        path: Inside `[]`, what a path contains.
        path_loose: Those of them that cannot end it.
        bracket_end: Inside `[]`, what brackets at the end of a path may contain; else what all others may.
        query: Inside `[]`, what a query contains.
        query_loose: Those of them that cannot end it.
        schemes: What may stand before `://`, as an expression.
        punycode: Inside `[]`, what follows `xn--` in a top-level domain.
    """

    def __init__(
        self,
        *,
        no_domain: str,
        path: str,
        path_loose: str,
        query: str,
        query_loose: str,
        bracket_end: str = "",
        schemes: str = "https?",
        punycode: str = "-0-9a-zA-Z",
    ) -> None:
        self.dot: re.Pattern[str] = re.compile(rf"\.(?<=[^-_{no_domain}]\.)(?=[^-_{no_domain}])")
        self.sign: re.Pattern[str] = re.compile(rf"[^-_{no_domain}]")
        self.label: re.Pattern[str] = re.compile(rf"[^{no_domain}]*")
        self.begin: re.Pattern[str] = re.compile(rf"{_BEFORE}[^-_{no_domain}]")
        self.before: re.Pattern[str] = re.compile(_BEFORE)
        self.scheme: re.Pattern[str] = re.compile(rf"(?:{schemes})://\Z", re.IGNORECASE | re.ASCII)
        self.coded: re.Pattern[str] = re.compile(rf"--[{punycode}]+")
        self.path: re.Pattern[str] = re.compile(rf"/(?:[{path}]++|{_bracket(path)})*+")
        self.piece: re.Pattern[str] = re.compile(rf"[{path}]++|{_bracket(path)}")
        self.bracket_end: re.Pattern[str] | None = re.compile(_bracket(bracket_end)) if bracket_end else None
        self.path_loose = path_loose
        self.query: re.Pattern[str] = re.compile(rf"\?[{query}]+")
        self.query_loose = query_loose

    def find(self, text: str, known: TopLevelDomains) -> Iterator[UrlCandidate]:
        """Find what may be an address, in order, not overlapping.

        Args:
            text: The text; for X in UTF-16, one character for each half of a surrogate pair.
            known: The top-level domains.
        """
        dots = [found.start() for found in self.dot.finditer(text)]
        if not dots:
            return
        ends = [top_level_end(text, dot + 1, known, self.coded) for dot in dots]
        lasts = chain_ends(text, dots, ends, self.label)
        done = 0
        for index, (dot, last) in enumerate(zip(dots, lasts, strict=True)):
            if dot < done or (last is None and not ends[index]):
                continue
            floor = max(done, dots[index - 1] + 1 if index else 0)
            first = dot - run_length(self.label, text[floor:dot][::-1], 0, dot - floor)
            whole = last is None  # the domain's name is the label before this dot, and holds no underscore
            found = self._begin(text, first, dot, done, whole=whole)
            if found is not None:
                start, domain = found
                path = ends[index if last is None else last]
                end, has_path = self._end(text, path)
                yield UrlCandidate(start, domain, path, end, text[start - 1] if start else "", has_path)
                done = end

    def _begin(self, text: str, first: int, dot: int, done: int, *, whole: bool) -> tuple[int, int] | None:
        """Where the address before a dot and its domain begin; the characters from *first* on may be of a label."""
        underscore = text.rfind("_", first, dot) if whole else -1
        if text.endswith("://", done, first) and underscore < first and self.sign.match(text, first):
            scheme = self.scheme.search(text, max(first - _LONGEST_SCHEME, 0), first)
            if scheme:
                start = scheme.start()
                if start == 0 or (start > done and self.before.match(text, start - 1)):
                    return start, first
        lowest = max(first, underscore + 1)
        begun = self.begin.search(text, max(lowest - 1, done), dot)
        if lowest == 0 and self.sign.match(text) and not (begun and begun.start() == 0):
            return 0, 0  # the text's first character is part of an address only if it cannot stand before one
        return (begun.end() - 1, begun.end() - 1) if begun else None

    def _end(self, text: str, end: int) -> tuple[int, bool]:
        """One past the port, the path and the query that follow a domain, and whether there is a path."""
        if not text.startswith((":", "/", "?"), end):
            return end, False
        port = _PORT.match(text, end)
        end = port.end() if port else end
        path = self.path.match(text, end)
        if path:
            end = self._path_end(text, path)
        query = self.query.match(text, end)
        if query:
            kept = len(query[0][1:].rstrip(self.query_loose))
            end += kept + 1 if kept else 0
        return end, path is not None

    def _path_end(self, text: str, path: re.Match[str]) -> int:
        """One past the last character of a path that may end it."""
        end = path.start() + len(path[0].rstrip(self.path_loose))
        if self.bracket_end is None or text[end - 1] != ")":
            return end
        for piece in reversed(list(self.piece.finditer(text, path.start() + 1, path.end()))):
            if piece[0].startswith("("):
                if self.bracket_end.fullmatch(piece[0]):
                    return piece.end()
            elif kept := len(piece[0].rstrip(self.path_loose)):
                return piece.start() + kept
        return path.start() + 1


def chain_ends(text: str, dots: list[int], ends: list[int], label: re.Pattern[str]) -> list[int | None]:
    """For each dot, the last one before a top-level domain that the chain of labels after it reaches, if any.

    Args:
        text: The text.
        dots: Where its dots are.
        ends: Where the top-level domain after each of them ends; 0 where there is none.
        label: As many characters of a label as there are.

    Returns:
        Places in *dots*.
    """
    lasts: list[int | None] = [None] * len(dots)
    last: int | None = None
    for index in range(len(dots) - 1, 0, -1):
        start, dot = dots[index - 1] + 1, dots[index]
        lasts[index] = last
        if last is None and ends[index] and "_" not in text[start:dot]:
            last = index
        if run_length(label, text, start, dot) < dot - start:
            last = None
    lasts[0] = last
    return lasts


def run_length(signs: re.Pattern[str], text: str, start: int, end: int) -> int:
    """How many characters of a kind stand here."""
    found = signs.match(text, start, end)
    return found.end() - start if found else 0


def top_level_end(text: str, start: int, known: TopLevelDomains, coded: re.Pattern[str]) -> int:
    """One past the top-level domain that stands here; 0 if none does.

    Args:
        text: The text.
        start: Where to look.
        known: The top-level domains.
        coded: What follows `xn` in one that is written in Punycode, and need not be known.
    """
    run = _WHOLE.match(text, start)
    if run and run[0].lower() in known.ascii:
        return run.end()
    run = _RUN.match(text, start)
    if run and run[0].lower() == "xn":
        found = coded.match(text, run.end())
        return found.end() if found else 0
    end = run.end() if run else start
    after = text[end : end + 1]
    if not after.isascii():
        for name in known.others.get(_capital(text[start]), ()):
            end = start + len(name)
            if canonicalize(text[start:end]) == name and not _joins(text[end : end + 1]):
                return end
    return 0


def _joins(sign: str) -> bool:
    """Whether a character after a top-level domain makes it another word."""
    return sign.isascii() and (sign.isalnum() or sign in {"@", "+", "-"})


def _bracket(signs: str) -> str:
    """An expression: brackets with something in them, perhaps brackets once more."""
    return rf"\((?:[{signs}]++|[{signs}]*+\([{signs}]++\)[{signs}]*+)\)"
