"""Checks of the links: that they lead where readers believe."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Final

from policenotify.checks.check import CheckContext, Remark, check
from policenotify.checks.wording import visible_texts
from policenotify.findings import Level
from policenotify.text.patterns import lazy_pattern
from policenotify.text.spans import spans_of
from policenotify.text.urls import host_of

_NUMBER: Final = r"(?:0x[0-9a-f]*|[0-9]+)"
# Browsers read 127.1, 2130706433 and 0x7f.1 as addresses, too (url.spec.whatwg.org, IPv4 parser).
_IP: Final = lazy_pattern(rf"{_NUMBER}(?:\.{_NUMBER}){{0,3}}|.*:.*")
_PHONETIC: Final = (range(0x250, 0x2B0), range(0x1D00, 0x1DC0))  # Unicode blocks; their names begin with LATIN, too
_WRITE: Final = "Write the https address of a known site, as its owner writes it."


@check(
    "PN116",
    basis="Unicode Technical Standard #39, section 5.1 (mixed scripts); RFC 3492 (xn--); fraudsters use look-alikes.",
    field="link",
    levels=(Level.BLOCK, Level.ADVISE),
)
def links_trusted(context: CheckContext) -> Iterator[Remark]:
    """Refuse links to look-alikes, IP addresses and hosts that are not listed, and warn of `http:` and `xn--`."""
    for field, link, span in _links(context):
        host = host_of(link)
        for reason, level in islice(_doubts(link, host, context.links), 1):
            subject = f"The link to {host}" if host else "The link without a host"
            yield Remark(f"{subject} {reason}.", _WRITE, field=field, level=level, span=span)


def _links(context: CheckContext) -> Iterator[tuple[str, str, tuple[int, int] | None]]:
    """Yield field, address and span of each link in a message."""
    if context.message.link:
        yield "link", context.message.link, None
    for field, text in visible_texts(context.message):
        for span in spans_of(text):
            if span.kind == "url":
                yield field, span.value, (span.start, span.end)


def _doubts(link: str, host: str, known: tuple[str, ...]) -> Iterator[tuple[str, Level]]:
    """Yield what is wrong with a link, the gravest first."""
    shown = _decoded(host)
    if not host:
        yield "cannot be read", Level.BLOCK
    if (read := unicodedata.normalize("NFKC", host.replace("。", "."))) != host:
        yield f"is written in signs that browsers read as {read}", Level.BLOCK
    if _IP.fullmatch(host):
        yield "names no site but an IP address", Level.BLOCK
    if len(scripts := _scripts(shown)) > 1:
        yield f"mixes letters that look alike ({', '.join(sorted(scripts)).title()})", Level.BLOCK
    if known and not any(_is_listed(_coded(host), name) for name in known):
        yield "leads to a site that is not in `links` of the settings", Level.BLOCK
    if shown != host and not known:
        yield f"is the coded form of {shown}", Level.ADVISE
    if link.lower().startswith("http:"):
        yield "is not https, so that others may change the page on its way", Level.ADVISE


def _coded(host: str) -> str:
    """Return a host in A-labels, as the settings list it."""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def _decoded(host: str) -> str:
    """Return a host with the letters that its `xn--` labels stand for."""
    return ".".join(_decoded_label(label) for label in host.split("."))


def _decoded_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _scripts(host: str) -> set[str]:
    """Return the scripts of the letters, as their names begin: `LATIN`, `CYRILLIC`."""
    letters = filter(str.isalpha, unicodedata.normalize("NFKC", host))
    return {_script(letter) for letter in letters}


def _script(letter: str) -> str:
    if any(ord(letter) in block for block in _PHONETIC):
        return "PHONETIC"
    return unicodedata.name(letter, "UNKNOWN").partition(" ")[0]


def _is_listed(host: str, name: str) -> bool:
    """Return True if the list's name is the host, or with a dot in front the end of it."""
    return host.endswith(name) if name.startswith(".") else host == name
