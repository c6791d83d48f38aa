"""Test data of the contract suite: texts, pictures and recipients."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from typing import Final, cast

from hypothesis import strategies as st

from policenotify.channel import (
    Channel,
    Picture,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
    SupportsPeople,
    SupportsSend,
)
from policenotify.errors import Refused, Unavailable, Unconfirmed
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Location
from policenotify.model.message import Message, Translation
from policenotify.testing.strategies import one_liners, prose
from policenotify.text import Budget
from policenotify.text.characters import clean, one_line

_ERRORS: Final = {"refused": Refused, "unavailable": Unavailable, "unconfirmed": Unconfirmed}
TEXTS: Final = {
    "accents": "Évitez « l’avenue » – œuvre, ça, où ?",
    "decomposed": "E\u0301vacuation du pe\u0301rime\u0300tre",  # NFD: what macOS and PDFs bring
    "four_bytes": "🚨 𝐀𝐥𝐞𝐫𝐭𝐞 𠮷野家",
    "joined_emoji": "👮‍♀️ 👨‍👩‍👧‍👦 🇫🇷 1️⃣",
    "right_to_left": "נוסע العربية می\u200cخواهم A9",
    "markup": "<b>A9 & D612</b> &amp; \"x\" 'y' `z` [u](v) *w*",
    "programs": "{0} %s $HOME \\n \\u00e9 '; DROP TABLE--",
    "lines": "Première ligne\n\n.\n..deux points\nFrom ici",
    "addresses": "https://police.example/a?b=c&d=(e)#f @maire #A9",
}
"""Texts that a post may contain, by their difficulty."""

PEOPLE: Final = tuple(
    Recipient(key=sha256(name.encode()).hexdigest(), address=f"{name}@readers.example")
    for name in ("anabelle", "bertrand", "clotilde", "dieudonne")
)
"""The recipients, on a network with recipients."""

THREAD: Final = "00112233445566ff"
"""What stands for the incident's id in the message of a structured post."""

HEADLINE_IN_ENGLISH: Final = "Road closed"
"""The headline of a structured post in its second language."""

LABEL: Final = "Fermeture de route"
_HEADLINE = 160  # characters, of `Message.headline`
_PROSE = 10_000  # characters, of `Message.description`
_LONGEST = 100_000  # characters: a budget beyond is not tried
_WORD = "déjà 👮 "


def legal_texts(budget: Budget) -> st.SearchStrategy[str]:
    """Generate texts as the rendering produces them, within a budget.

    They have no control characters and no space at the ends.
    """

    def fitted(text: str) -> str:
        while not budget.fits(text):
            text = text[: len(text) // 2]
        return spelled(clean(text), budget).strip()

    return prose().map(clean).map(fitted).filter(bool)


def legal_titles() -> st.SearchStrategy[str]:
    """Generate headlines as the rendering produces them."""
    return one_liners(max_size=100).map(one_line).filter(bool)


def longest(budget: Budget) -> str:
    """Return a text that fills a budget to the last character, up to 100,000."""
    low, high = 0, _LONGEST // len(_WORD)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if budget.fits(_WORD * middle + "x") else (low, middle - 1)
    text = _WORD * low + "x"
    while len(text) < _LONGEST and budget.fits(text + "x"):
        text += "x"
    return spelled(text, budget)


def message(stage: Stage, title: str, text: str) -> Message:
    """Return the message of a structured post, as far as it may be public."""
    return Message(
        category="road_closure",
        severity=Severity.SEVERE,
        location=Location(commune="34172", commune_name="Montpellier", department="34"),
        lifecycle=Lifecycle(stage=stage, incident=THREAD),
        headline=(title or one_line(text) or LABEL)[:_HEADLINE],
        description=text[:_PROSE],
        translations=(Translation(language="en", headline=HEADLINE_IN_ENGLISH),),
        exercise=False,
    )


def spelled(text: str, budget: Budget) -> str:
    """Return a text in the network's alphabet, as the rendering writes it."""
    return budget.transliterate(text) if budget.transliterate else text


def picture(number: int) -> Picture:
    """Return a PNG of one pixel, different for each *number* up to 255."""
    # PNG, third edition, section 5
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", zlib.compress(bytes((0, number, 0, 0)))) + _chunk(b"IEND", b"")
    alt = f"Route n° {number} sous l’eau, vue du « pont »"
    return Picture(digest=sha256(data).hexdigest(), media_type="image/png", width=1, height=1, alt=alt, data=data)


def formatted(text: str, pictures: tuple[Picture, ...] = ()) -> str:
    """Return the HTML of a text that names its pictures, as the rendering does."""
    shown = "".join(f"<p>[{escape(each.alt)}]</p>" for each in pictures)
    return f"<p>{escape(text)}</p>{shown}"


def send_post(channel: Channel, request: Request) -> PostRef:
    """Send a request, on a network with recipients to one person.

    Raises:
        ChannelError: As `send` raises it, or as the recipient's outcome states it.
    """
    if not channel.capabilities.recipients:
        return cast("SupportsSend", channel).send(request)
    [told] = send_to(channel, request, PEOPLE[:1])
    if told.outcome == "posted":
        return PostRef(account=request.account, id=request.key)
    raise _ERRORS[told.outcome](told.reason, code=told.code)


def send_to(channel: Channel, request: Request, people: Sequence[Recipient]) -> list[RecipientOutcome]:
    """Send a request to people, in calls of as many as the channel takes, and check that each has one outcome.

    Raises:
        ChannelError: As `send_to` raises it.
    """
    most, outcomes = channel.capabilities.people_per_call, list[RecipientOutcome]()
    for at in range(0, len(people), most):
        called = people[at : at + most]
        returned = list(cast("SupportsPeople", channel).send_to(request, called))
        if sorted(each.key for each in returned) != sorted(each.key for each in called):
            raise AssertionError(f"send_to must return one outcome for each person, with its key; got {returned}.")
        outcomes += returned
    return outcomes


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
