"""The length of a text on X and on Mastodon: never below what the network counts, and on usual posts equal to it.

Both give an address a fixed length, and both find addresses by the rules of twitter-text 3.1.0 (frozen in 2021). Those
rules are long; here an address of plain form has the fixed length, and any other form the largest that it may have.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from policenotify.text.budget import graphemes
from policenotify.text.links import IN_SMALL_LETTERS

ADDRESS_LENGTH: Final = 23
"""The length of an address: `transformedURLLength` of `config/v3.json`, and by default `characters_reserved_per_url` of
Mastodon's `GET /api/v2/instance`."""

_HEAVY: Final = re.compile(r"[^\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")  # `config/v3.json`: they count 2
# An emoji counts 2 with its form. These are the usual ones that have it; any other counts 2 for its form, too.
_FORM: Final = re.compile("(?<=[‼⁉™ℹ↔-↙⌨⏏⏱⏲◀▶☀-☄☎☑☘☝☠☢☣☮☯♀♂♥♻⚒-⚗⚙⚠⚰⛈⛑⛔⛴⛷✂✈✉✊-✌✏✔✖❄❗❤➡⬅-⬇])\ufe0f")
_BEGINS: Final = r"(?<![^\s(«])"
_ADDRESS: Final = re.compile(
    rf"{_BEGINS}(?P<scheme>https?://)?+(?P<host>[a-z0-9-]++(?:\.[a-z0-9-]++)++)(?P<path>(?:[/?][^\s]*+)?)(?![\w@＠+:])",
    re.IGNORECASE | re.ASCII,
)
_HOST: Final = re.compile(r"(?!.*xn--)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]+", re.IGNORECASE | re.ASCII)
_PATH: Final = re.compile(r"(?:/(?:[\w/.-]{0,2000}[\w/])?)?(?:\?[\w=&-]{0,2000}[\w=&])?", re.ASCII)
_LOOSE: Final = ".,!?)»…:;"  # signs behind an address that are not part of it
# Top-level domains that X knows. An address with any other counts in full, and 23 besides.
_KNOWN: Final = IN_SMALL_LETTERS | {"at", "de", "es", "info", "int", "it", "nl", "paris", "pt", "social", "uk"}
_MAY_END_DOMAIN: Final = re.compile(  # by none of the domains that never will be (RFC 2606)
    r"(?<!\s)\.(?:xn--|[^\x00-\x7f]|(?!(?:example|test|invalid)\b)[a-z]{2,}+(?![0-9@+-]))", re.IGNORECASE | re.ASCII
)
_BEHIND_AT: Final = re.compile(r"(?<=\w@)[a-z0-9-]++(?:\.[a-z0-9-]++)++(?![\w@/:])", re.IGNORECASE | re.ASCII)

_MENTION: Final = re.compile(
    rf"{_BEGINS}(@\w++(?:[.-]\w++)*+)@[\w.-]{{1,253}}(?<=\w)(?=[,;.!?)»…]*+(?:\s|\Z))", re.ASCII
)
# The scripts that join consonants: the blocks from Devanagari on, and the later ones beyond.
_MAY_JOIN: Final = re.compile("[\u0900-\u1cff\ua800-\uabff\U00010a00-\U00011fff\U00016100-\U00016dff]")


def x_weight(text: str) -> int:
    """Count a text as X does, or more. A post may weigh 280.

    A character counts 2, but most of punctuation and of the Latin, Greek, Cyrillic, Hebrew, Arabic, Thai … scripts
    count 1. An address counts 23, and so does a typing error such as `fermé.La`. The text is composed (NFC) first.
    Never below twitter-text 3.1.0; above it where an emoji consists of several characters, and where an address has an
    unusual form or top-level domain.
    """
    normal = text if text.isascii() else unicodedata.normalize("NFC", text)
    addresses = possible = 0
    if "." in normal:
        normal, addresses = _without_addresses(normal, schemes=False)
        possible = _possible_domains(normal)
    signs = len(normal) + len(_HEAVY.findall(normal)) - 2 * len(_FORM.findall(normal))
    return signs + (ADDRESS_LENGTH - 1) * addresses + ADDRESS_LENGTH * possible


def _without_addresses(text: str, *, schemes: bool) -> tuple[str, int]:
    """Replace each address of plain form with one space, and count them. X links them without a scheme, too."""
    count = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal count
        host, path = match["host"], match["path"].rstrip(_LOOSE)
        known = host.rpartition(".")[2].lower() in _KNOWN
        if not known or (schemes and not match["scheme"]) or not (_HOST.fullmatch(host) and _PATH.fullmatch(path)):
            return match[0]
        count += 1
        return " " + match["path"][len(path) :]

    return _ADDRESS.sub(replace, text), count


def _possible_domains(text: str) -> int:
    """Count the places where a domain may end: at most as many addresses are linked."""
    if "@" in text:
        text = _BEHIND_AT.sub("", text)
    return len(_MAY_END_DOMAIN.findall(text))


def mastodon_length(text: str, spoiler: str = "", *, url: int = ADDRESS_LENGTH, code_points: bool = False) -> int:
    """Count the graphemes of a status as Mastodon does, or more.

    An address with a scheme has the fixed length *url*. A mention counts without its domain. Bare domains, and
    everything in the spoiler, count as they are. If the text is blank, the spoiler becomes the text. The rules are
    those of `StatusLengthValidator`, the same in 4.4 to 4.7.

    Args:
        text: The text of the status.
        spoiler: The content warning before it.
        url: The length of an address: `configuration.statuses.characters_reserved_per_url` of the server.
        code_points: Count every code point of both texts, addresses and mentions too, as GoToSocial does. For an
            unknown server software take the larger count.
    """
    if code_points:
        return len(text) + len(spoiler)
    if not text.strip():
        text, spoiler = spoiler, ""
    if "@" in text:
        text = _MENTION.sub(r"\1", text)
    addresses = possible = 0
    if "://" in text:
        text, addresses = _without_addresses(text, schemes=True)
        possible = sum(min(word.count("://"), _possible_domains(word)) for word in text.split())
    whole = spoiler + text
    # Since Unicode 15.1, consonants joined by a virama are one grapheme (UAX #29, rule GB9c). An older Ruby, such as
    # 3.3, counts each of them.
    signs = len(whole) if _MAY_JOIN.search(whole) else graphemes(whole)
    return signs + (url - 1) * addresses + url * possible
