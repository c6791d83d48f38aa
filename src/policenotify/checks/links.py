"""Rules about links: that they lead where readers believe."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from policenotify.checks.rule import CheckContext, Hit, every_text, rule, shared_texts, to_finding
from policenotify.findings import Finding, Level
from policenotify.model.texts import TextKind
from policenotify.text.links import find_links, host_of

_NUMBER: Final = r"(?:0x[0-9a-f]*|[0-9]+)"
# Browsers read 127.1, 2130706433 and 0x7f.1 as addresses, too (url.spec.whatwg.org, IPv4 parser).
_IP: Final = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}){{0,3}}|.*:.*")
_SEEN: Final = (TextKind.LINE, TextKind.PROSE, TextKind.ADDRESS, TextKind.NAME)
_PHONETIC: Final = re.compile("[\u0250-\u02af\u1d00-\u1dbf]")  # Unicode blocks; their names begin with LATIN, too


@rule(
    "PN116",
    basis="Unicode Technical Standard #39, section 5.1 (mixed scripts); RFC 3492 (xn--).",
    levels=(Level.BLOCK, Level.ADVISE),
)
def links_trusted(context: CheckContext) -> Iterator[Hit]:
    """Refuse links to look-alikes, IP addresses and hosts that are not listed, and warn of `http:` and `xn--`."""
    if link := context.message.link:
        yield from _hits("link", link, None, context.links)
    for _, field, text in every_text(context.message, *_SEEN):
        yield from _hits_in(field, text, context.links)


def check_links(text: str, allowed: tuple[str, ...], *, field: str) -> Iterator[Finding]:
    """Yield what PN116 finds in the text of a post, which may have links that the message had not.

    Args:
        text: The text as the network gets it: `ｅｖｉｌ.com` is `evil.com` in an SMS.
        allowed: The hosts to which a message may link. Empty: any.
        field: The field that the findings name.
    """
    for hit in _hits_in(field, text, allowed):
        level = hit.level or Level.BLOCK
        yield to_finding(hit, links_trusted.code, level, links_trusted.basis, shared_texts("PN1")["PN116"])


def _hits_in(field: str, text: str, allowed: tuple[str, ...]) -> Iterator[Hit]:
    for span in find_links(text):
        if span.kind == "url":
            yield from _hits(field, span.value, (span.start, span.end), allowed)


def _hits(field: str, link: str, span: tuple[int, int] | None, allowed: tuple[str, ...]) -> Iterator[Hit]:
    """Yield the gravest doubt about a link."""
    host = host_of(link)
    if doubt := _doubt(link, host, allowed):
        level = Level.ADVISE if doubt in {"coded", "http"} else Level.BLOCK
        yield Hit(field, span, level, doubt, values={"host": host})


def _doubt(link: str, host: str, allowed: tuple[str, ...]) -> str:
    """Return what is wrong with a link, the gravest first, as the name of the texts for it."""
    readable = _decoded(host)
    doubts = {
        "unreadable": not host,
        "signs": unicodedata.normalize("NFKC", host.replace("。", ".")) != host,
        "number": _IP.fullmatch(host),
        "mixed": len(_scripts(readable)) > 1,
        "unlisted": allowed and not _is_listed(host, allowed),
        "coded": readable != host and not allowed,
        "http": link.lower().startswith("http:"),
    }
    return next((name for name, holds in doubts.items() if holds), "")


def _is_listed(host: str, allowed: tuple[str, ...]) -> bool:
    """Return True for a host in the list, in A-labels, and for one that ends with a name after a dot there."""
    with suppress(UnicodeError):
        host = host.encode("idna").decode()
    return host in allowed or host.endswith(tuple(name for name in allowed if name.startswith(".")))


def _decoded(host: str) -> str:
    """Return a host with the letters that its `xn--` labels stand for."""
    return ".".join(map(_decoded_label, host.split(".")))


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
    names = ((letter, unicodedata.name(letter, "UNKNOWN")) for letter in letters)
    return {"PHONETIC" if _PHONETIC.match(letter) else name.partition(" ")[0] for letter, name in names}
