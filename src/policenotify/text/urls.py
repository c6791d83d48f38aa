"""The web addresses of a text, as twitter-text finds them for X and Mastodon.

twitter-text 3.1.0 (Apache-2.0, <https://github.com/twitter/twitter-text>) uses one regular expression, which takes
quadratic time. This module goes dot by dot, in linear time: an address needs a dot between two characters of a domain,
and most dots of a text end a sentence.

An address is a chain of labels and dots that ends in the last known top-level domain. A scheme may stand before it, and
a port, a path and a query after it. It begins at the start of the text, or after a character that is neither an ASCII
letter or digit nor one of `@`, `$`, `#`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from policenotify.text.patterns import lazy_pattern

SPACES: Final = r"\t-\r \x85\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Inside `[]`: the spaces of twitter-text (`spacesGroup`)."""

DIRECTIONS: Final = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Inside `[]`: marks of direction (`directionalMarkersGroup`)."""

INVALID: Final = r"\ufffe\ufeff\uffff"
"""Inside `[]`: characters that make a post invalid on X (`invalidCharsGroup`)."""

MAX_LABEL: Final = 63
"""The longest label of a domain, in Punycode: RFC 1035, section 2.3.4."""

MAX_ADDRESS: Final = 4096
"""The longest address: `MAX_URL_LENGTH` of twitter-text."""

MAX_SHORT: Final = 40
"""The longest name behind `t.co/`: `MAX_TCO_SLUG_LENGTH` of twitter-text."""

_BEFORE: Final = rf"[^A-Za-z0-9@\uff20$#\uff03{INVALID}]"
_RUN: Final = lazy_pattern(r"[0-9A-Za-z]++")
_WHOLE: Final = lazy_pattern(r"[0-9A-Za-z]++(?![-@+])")  # before one of these signs, it is part of another word
_PORT: Final = lazy_pattern(r":[0-9]+")
_LONGEST_SCHEME: Final = len("gopher://")


class UrlCandidate(NamedTuple):
    """A part of the text that may be an address.

    Attributes:
        domain: First character of the domain, after the scheme, if any.
        path: One past the domain.
        end: One past the last character.
        before: The character before it, empty at the beginning of the text.
    """

    start: int
    domain: int
    path: int
    end: int
    before: str
    has_path: bool


class TopLevelDomains(NamedTuple):
    """Top-level domains, prepared for look-up.

    Attributes:
        ascii: Those in ASCII, in small letters.
        others: The other ones in capitals, by their first character, the longest first.
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
    """Return the text in the capitals of ECMA-262, `Canonicalize`."""
    return "".join(map(_capital, text))


def _capital(sign: str) -> str:
    capital = sign.upper()
    return capital if len(capital) == 1 and (sign.isascii() or not capital.isascii()) else sign


class UrlGrammar:
    """The characters in which X and Mastodon differ, each class as the inside of `[]`.

    Args:
        no_domain: Characters that a domain cannot have, besides `-` and `_`, which only the inside of a label has.
        path: Characters of a path.
        path_loose: Those that cannot end a path.
        bracket_end: Characters of brackets at the end of a path. By default those of other brackets.
        query: Characters of a query.
        query_loose: Those that cannot end a query.
        schemes: An expression for the schemes before `://`.
        punycode: Characters after `xn--` in a top-level domain.
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
        self.dot: re.Pattern[str] = lazy_pattern(rf"\.(?<=[^-_{no_domain}]\.)(?=[^-_{no_domain}])")
        self.sign: re.Pattern[str] = lazy_pattern(rf"[^-_{no_domain}]")
        self.label: re.Pattern[str] = lazy_pattern(rf"[^{no_domain}]*")
        self.begin: re.Pattern[str] = lazy_pattern(rf"{_BEFORE}[^-_{no_domain}]")
        self.before: re.Pattern[str] = lazy_pattern(_BEFORE)
        self.scheme: re.Pattern[str] = lazy_pattern(rf"(?:{schemes})://\Z", re.IGNORECASE | re.ASCII)
        self.coded: re.Pattern[str] = lazy_pattern(rf"--[{punycode}]+")
        self.path: re.Pattern[str] = lazy_pattern(rf"/(?:[{path}]++|{_bracket(path)})*+")
        self.piece: re.Pattern[str] = lazy_pattern(rf"[{path}]++|{_bracket(path)}")
        self.bracket_end: re.Pattern[str] | None = lazy_pattern(_bracket(bracket_end)) if bracket_end else None
        self.path_loose = path_loose
        self.query: re.Pattern[str] = lazy_pattern(rf"\?[{query}]+")
        self.query_loose = query_loose

    def find(self, text: str, known: TopLevelDomains) -> Iterator[UrlCandidate]:
        """Find what may be an address, in order. For X, the text is in UTF-16 units."""
        dots = [match.start() for match in self.dot.finditer(text)]
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
            # Without a later top-level domain, the label before this dot is the domain's name, without an underscore.
            begin = self._begin(text, first, dot, done, is_name=last is None)
            if begin is not None:
                start, domain = begin
                path = ends[index if last is None else last]
                end, has_path = self._end(text, path)
                yield UrlCandidate(start, domain, path, end, text[start - 1] if start else "", has_path)
                done = end

    def _begin(self, text: str, first: int, dot: int, done: int, *, is_name: bool) -> tuple[int, int] | None:
        """Return the start of the address before a dot and of its domain."""
        underscore = text.rfind("_", first, dot) if is_name else -1
        if text.endswith("://", done, first) and underscore < first and self.sign.match(text, first):
            scheme = self.scheme.search(text, max(first - _LONGEST_SCHEME, 0), first)
            if scheme:
                start = scheme.start()
                if start == 0 or (start > done and self.before.match(text, start - 1)):
                    return start, first
        lowest = max(first, underscore + 1)
        begin = self.begin.search(text, max(lowest - 1, done), dot)
        if lowest == 0 and self.sign.match(text) and not (begin and begin.start() == 0):
            return 0, 0  # the text's first character is part of an address only if it cannot stand before one
        return (begin.end() - 1, begin.end() - 1) if begin else None

    def _end(self, text: str, end: int) -> tuple[int, bool]:
        """Return the end of the port, path and query, and True if there is a path."""
        if not text.startswith((":", "/", "?"), end):
            return end, False
        port = _PORT.match(text, end)
        end = port.end() if port else end
        path = self.path.match(text, end)
        if path:
            end = self._path_end(text, path)
        query = self.query.match(text, end)
        if query:
            end += query_length(query[0], self.query_loose)
        return end, path is not None

    def _path_end(self, text: str, path: re.Match[str]) -> int:
        """Return the end of a path, one past the last character that may end it."""
        end = path.start() + len(path[0].rstrip(self.path_loose))
        if self.bracket_end is None or text[end - 1] != ")":
            return end
        for piece in reversed(list(self.piece.finditer(text, path.start() + 1, path.end()))):
            if piece[0].startswith("("):
                if self.bracket_end.fullmatch(piece[0]):
                    return piece.end()
            elif length := len(piece[0].rstrip(self.path_loose)):
                return piece.start() + length
        return path.start() + 1


def host_of(link: str) -> str:
    """Return the host of an address in small letters, or an empty text if it cannot be read."""
    try:
        host = urlsplit(link if "://" in link else f"https://{link}").hostname or ""
    except ValueError:
        return ""
    return host.removesuffix(".")


def query_length(query: str, loose: str) -> int:
    """Return the length of a query without loose characters at its end."""
    length = len(query[1:].rstrip(loose))
    return length + 1 if length else 0


def chain_ends(text: str, dots: list[int], ends: list[int], label: re.Pattern[str]) -> list[int | None]:
    """Return for each dot the last one of its chain before a top-level domain.

    The results are indices of *dots*. *ends* holds the end of the top-level domain after each dot, or 0 without one.
    *label* matches as many characters of a label as possible.
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
    """Return how many characters from *start* on the pattern matches."""
    match = signs.match(text, start, end)
    return match.end() - start if match else 0


def top_level_end(text: str, start: int, known: TopLevelDomains, coded: re.Pattern[str]) -> int:
    """Return the end of the top-level domain at *start*, or 0."""
    run = _WHOLE.match(text, start)
    if run and run[0].lower() in known.ascii:
        return run.end()
    run = _RUN.match(text, start)
    if run and run[0].lower() == "xn":
        match = coded.match(text, run.end())
        return match.end() if match else 0
    end = run.end() if run else start
    after = text[end : end + 1]
    if not after.isascii():
        for name in known.others.get(_capital(text[start]), ()):
            end = start + len(name)
            if canonicalize(text[start:end]) == name and not _joins(text[end : end + 1]):
                return end
    return 0


def _joins(sign: str) -> bool:
    """Return True if a character continues the word of a top-level domain."""
    return sign.isascii() and (sign.isalnum() or sign in {"@", "+", "-"})


def _bracket(signs: str) -> str:
    """Return an expression for brackets with one more level of brackets inside."""
    return rf"\((?:[{signs}]++|[{signs}]*+\([{signs}]++\)[{signs}]*+)\)"
