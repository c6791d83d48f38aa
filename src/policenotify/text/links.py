"""The web addresses, hashtags and mentions of a text, and the repair of words that would become links.

X links bare domains, and `.la`, `.de`, `.au` are countries: `fermé.La circulation` would send readers of a police
account to an unrelated site. So an address without `https://` is one by its form, and any other word with a full stop
in it gets a space. Hashtags are those that X, Mastodon and Bluesky link.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import takewhile
from operator import attrgetter
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from policenotify.text.budget import grapheme_ends
from policenotify.text.characters import one_line

MAX_TAG: Final = 64
"""The longest hashtag, in characters: Bluesky's lexicon `app.bsky.richtext.facet#tag` (`maxGraphemes`: 64)."""

_ALWAYS: Final = frozenset({"fr", "com", "org"})  # no words: what ends in one is an address, in capital letters too
IN_SMALL_LETTERS: Final = _ALWAYS.union(
    {"net", "eu", "gp", "mq", "gf", "re", "yt", "pm", "bl", "mf", "tf", "wf", "pf", "nc"},
    {"be", "ch", "lu", "mc", "bzh", "corsica", "alsace"},
)
"""Top-level domains of France and its neighbours: what ends in one is an address in small letters."""

_TAIL: Final = r"""[^\s<>"«»“”{}|\\^`]*"""
_EXPLICIT: Final = re.compile(
    rf"(?<![A-Za-z0-9@＠$#＃])https?://(?>[^\W_](?:[\w.-]*\w)?)(?!@|:[^\s/]*@)(?::[0-9]{{1,5}})?(?:[/?]{_TAIL})?",
    re.IGNORECASE,
)
_DOMAIN: Final = re.compile(r"(?<![\w@＠$#＃/-])(?<!\w\.)[^\W_][\w-]*+(?:\.[^\W_][\w-]*+)++(?![@＠])")
_DOTTED: Final = re.compile(r"\w\.\w")
_BEHIND_DOMAIN: Final = re.compile(rf"(?::[0-9]{{1,5}}(?=/))?/{_TAIL}")
_LOOSE: Final = frozenset("!*';:,.$%[]–~@&?…’(")  # signs that do not end an address on X, or that end a sentence
_TAG_SIGN: Final = re.compile(r"(?<![\w&·])[#＃]")
_PLAIN: Final = re.compile("[A-Za-z0-9À-ÖØ-öø-ÿ]*")  # some of the signs that may stand in a hashtag
_TAG_ENDS_BADLY: Final = re.compile(r"[#＃]|://")
# Those of X and those of Mastodon: the longest handle that either mentions. X takes `RT@name` for one, too.
_MENTION: Final = re.compile(
    r"(?:(?<![A-Za-z0-9_+~.-])[rR][tT]:?|(?<![A-Za-z0-9_@＠])|(?<=[A-Za-z0-9_][@＠]))[@＠]++(?<=([@＠]))"
    r"((?a:\w+(?:[.-]+\w+)*)(?:@\w+(?:[.-]+\w+)*|/[A-Za-z][A-Za-z0-9_-]{0,24})?)"
)
_REST_OF_WORD: Final = re.compile(r"[\w@＠:]*")
_MAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]++[@＠][\w.-]++")
_GAP: Final = re.compile(r"""(?<=[\w)\]»”"])\.(?=[^\W\d_]{2,}+(?!\d))""")
_MAY_LINK: Final = re.compile(r"#|＃|@|＠|\.\w|://")
_MAY_NEED_REPAIR: Final = re.compile(r"@|＠|\.[^ \n]")
_NO_TAG_SIGNS: Final = "\ufe0e\ufe0f\u20e3"  # letters and marks for Unicode: forms of emoji, the frame of a keycap
_NO_LETTER: Final = re.compile(r"[\W\d_]*")
_TWO: Final = 2  # labels of two words without the space between them, rarely more


class Link(NamedTuple):
    """A part of a text that may be linked, with places in code points.

    The value is the whole address, the tag without `#`, or the handle without `@`.
    """

    kind: Literal["url", "tag", "mention"]
    start: int
    end: int
    value: str


def find_links(text: str, mentions: frozenset[str] = frozenset()) -> tuple[Link, ...]:
    """Find web addresses, hashtags and allowed mentions, in order, not overlapping.

    An address begins with `http://` or `https://`, or is a bare domain by its form: with `www.` or one of the top-level
    domains `.fr`, `.com`, `.org`, and in small letters also with those of neighbours, before a path, or with three
    labels. So `17Cyber.gouv.fr`, `M6.fr` and `t.me/police34` are addresses, and `fermé.La`, `M.Dupont` and `av.de` are
    not. Punctuation after an address is not part of it. A hashtag has up to 64 characters, and a letter in it. Only the
    handles in *mentions* may be mentioned: a wrong mention alerts an unrelated person.
    """
    if not _MAY_LINK.search(text):
        return ()
    found = [*_addresses(text), *_hashtags(text)]
    if mentions:
        found += [mention for mention in find_mentions(text) if is_allowed(mention.value, mentions)]
    links: list[Link] = []
    for link in sorted(found, key=attrgetter("start")):
        if not links or link.start >= links[-1].end:
            links.append(link)
    return tuple(links)


def add_missing_spaces(text: str, mentions: frozenset[str] = frozenset()) -> str:
    """Insert missing spaces after full stops, and remove the `@` of unwanted mentions.

    A space is missing where a full stop touches two letters (`17h.Le`) outside an address of
    [`find_links`][policenotify.text.links.find_links] and a mail address. The handles in *mentions* keep their `@`. A
    second repair changes nothing.
    """
    while _MAY_NEED_REPAIR.search(text):
        signs = set(_signs(text, [each for each in find_mentions(text) if not is_allowed(each.value, mentions)]))
        gaps = {at for at in signs if at and text[at - 1].isalnum()} if signs else _gaps(text, mentions)
        if not signs and not gaps:
            break
        text = "".join(f"{' ' * (at in gaps)}{sign * (at not in signs)}" for at, sign in enumerate(text))
    return text


def _signs(text: str, unwanted: list[Link]) -> Iterator[int]:
    """Yield the places of the signs before each name, `@@name`, and of those that follow in the same word."""
    done = 0
    for mention in unwanted:
        if mention.start >= done:
            yield from range(done + len(text[done : mention.start].rstrip("@＠")), mention.start + 1)
            word = _REST_OF_WORD.match(text, mention.end)
            done = word.end() if word else mention.end
            yield from (at for at in range(mention.end, done) if text[at] in "@＠")


def _gaps(text: str, mentions: frozenset[str]) -> set[int]:
    """Return the places after a full stop where a space is missing."""
    kept = [(link.start, link.end) for link in find_links(text, mentions) if link.kind != "tag"]
    kept += [match.span() for match in _MAIL.finditer(text)]
    return {gap.end() for gap in _GAP.finditer(text)} - {at for start, end in kept for at in range(start + 1, end)}


def _addresses(text: str) -> Iterator[Link]:
    for match in _EXPLICIT.finditer(text) if "://" in text else ():
        yield _address(text, match.start(), match.end())
    for domain in _DOMAIN.finditer(text) if _DOTTED.search(text) else ():
        behind = _BEHIND_DOMAIN.match(text, domain.end())
        labels = domain[0].split(".")
        length = _intended_labels(labels, has_path=behind is not None)
        if length == len(labels):
            yield _address(text, domain.start(), behind.end() if behind else domain.end())
        elif length:
            yield _address(text, domain.start(), domain.start() + len(".".join(labels[:length])))


def _intended_labels(labels: list[str], *, has_path: bool) -> int:
    """Return how many labels of a word with full stops make an intended address, 0 if none."""
    longest, all_small = 0, len(labels[0]) > 1
    for number, label in enumerate(labels[1:], 2):
        small = label == label.lower()
        all_small = all_small and small and len(label) > 1
        named = label.lower() in _ALWAYS or (small and label in IN_SMALL_LETTERS)
        path = small and has_path and number == len(labels)
        if named or path or (number > _TWO and (all_small or labels[0].lower() == "www")):
            longest = number
    return longest


def _address(text: str, start: int, end: int) -> Link:
    shown = text[start:end]
    unopened = shown.count(")") - shown.count("(")
    while shown[end - start - 1] in _LOOSE or (shown[end - start - 1] == ")" and unopened > 0):
        unopened += {")": -1, "(": 1}.get(shown[end - start - 1], 0)
        end -= 1
    shown = text[start:end]
    return Link("url", start, end, shown if "://" in shown[:8] else f"https://{shown}")


def host_of(link: str) -> str:
    """Return the host of an address in small letters, or an empty text if it cannot be read."""
    try:
        host = urlsplit(link if "://" in link else f"https://{link}").hostname or ""
    except ValueError:
        return ""
    return host.removesuffix(".")


def find_mentions(text: str) -> tuple[Link, ...]:
    """Return the mentions on X and Mastodon, each with its longest possible handle.

    So `@prefet34.bsky.social` is one account, although X would mention `@prefet34`.
    """
    if "@" not in text and "＠" not in text:
        return ()
    addresses = list(_addresses(text)) if "/" in text else []
    return tuple(
        Link("mention", each.start(1), each.end(), each[2])
        for each in _MENTION.finditer(text)
        if not any(address.start < each.start(1) < address.end for address in addresses)
    )


def is_allowed(handle: str, mentions: frozenset[str]) -> bool:
    """Return True if an account may be mentioned, whatever the case of its letters."""
    return handle.casefold() in {name.lstrip("@").casefold() for name in mentions}


def _hashtags(text: str) -> Iterator[Link]:
    for sign in _TAG_SIGN.finditer(text):
        start = sign.end()
        plain = _PLAIN.match(text, start, start + MAX_TAG + 1)
        end = plain.end() if plain else start
        end += len([*takewhile(is_of_tag, text[end : start + MAX_TAG + 1])])
        name = text[start:end]
        if len(name) <= MAX_TAG and not _NO_LETTER.fullmatch(name) and not _TAG_ENDS_BADLY.match(text, end):
            yield Link("tag", sign.start(), end, name)


def is_of_tag(sign: str) -> bool:
    """Return True if a sign may stand in a hashtag."""
    kind = unicodedata.category(sign)
    return (kind[0] in "LM" or kind == "Nd" or sign in "_·") and sign not in _NO_TAG_SIGNS


def hashtag(text: str) -> str:
    """Return a text as a hashtag, with a capital for each word, for screen readers.

    `Saint-Étienne` becomes `SaintÉtienne`, `appel à témoins` becomes `AppelÀTémoins`. X, Mastodon and Bluesky link all
    of it. It has no `#` and at most 64 characters, and is empty if the text has no letter.
    """
    words = "".join(sign if is_of_tag(sign) and sign not in "_·" else " " for sign in one_line(text)).split()
    name = unicodedata.normalize("NFC", "".join(word[:1].upper() + word[1:] for word in words))
    if len(name) > MAX_TAG:
        name = name[: max((end for end in grapheme_ends(name[: MAX_TAG + 1]) if end <= MAX_TAG), default=0)]
    return "" if _NO_LETTER.fullmatch(name) else name


def is_linkable_tag(text: str, start: int, end: int) -> bool:
    """Return True if a hashtag in place of this word would be linked as a whole."""
    # Not in an address, and not beside another hashtag or an underscore.
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return not (before and (before in "&@＠/." or is_of_tag(before))) and not (
        after and (after in "#＃@＠" or is_of_tag(after) or text.startswith("://", end))
    )
