"""Hypothesis strategies for messages and for texts that break code."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from policenotify.channel import ChannelConfig
from policenotify.model.cap import Certainty, Precision, Severity, Urgency
from policenotify.model.history import History, HistoryEntry, Outcome, PostedPart
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Location, Point, Polyline, RoadRef
from policenotify.model.message import Category, Known, Message, Translation

NOW: Final = datetime(2026, 6, 5, 15, 42, tzinfo=UTC)
"""The time around which messages are generated."""

_NASTY: Final = (
    "\u202e",  # right-to-left override
    "\u2066",  # left-to-right isolate
    "\u200b",  # zero-width space
    "\u200d",  # zero-width joiner
    "\ufeff",  # byte order mark
    "\u00ad",  # soft hyphen
    "\x00",
    "\x1b[31m",
    "\t",
    "\u2028",  # line separator
    "\u00a0",  # no-break space
    "e\u0301\u0301\u0301",  # combining marks
    "👮‍♀️",
    "👨‍👩‍👧‍👦",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "1\ufe0f\u20e3",
    "נוסע",
    "می\u200cخواهم",
    "नमस्ते",
    "事故",
    "@PompiersHerault",
    "#A9",
    "#117",
    "https://police.example/a?b=c&d=(e)",
    "17Cyber.gouv.fr",
    "fermé.La",
    "1,72 m",
    "0 805 805 817",
    "<b>&amp;</b>",
    "{headline}",
    "%s",
    "…",
    "..",
    "« colis »",
    "en cours",
    "EXERCICE",
    "Montpellier",
    "18h30",
)

_UNREADABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INCIDENTS: Final = ("2026-0605-17", "a", "X" * 64)


def nasty_text(*, max_parts: int = 12) -> st.SearchStrategy[str]:
    """Generate texts of words, control characters, emoji, addresses and braces."""
    plain = st.sampled_from(("Accident", "avenue de Toulouse", "le", "à"))
    word = st.sampled_from(_NASTY) | st.text(max_size=8) | plain
    gap = st.sampled_from((" ", " ", " ", "", ". ", ", ", "\n"))
    pieces = st.lists(st.tuples(word, gap), max_size=max_parts)
    return pieces.map(lambda parts: "".join(f"{text}{after}" for text, after in parts))


def prose(*, max_parts: int = 12) -> st.SearchStrategy[str]:
    """Generate texts that a message accepts: those without control characters."""
    return nasty_text(max_parts=max_parts).map(lambda text: _UNREADABLE.sub("", text))


def one_liners(*, max_size: int = 160) -> st.SearchStrategy[str]:
    """Generate texts of one line that are not empty."""
    return prose().map(lambda text: " ".join(text.split())[:max_size].strip()).filter(bool)


def locations() -> st.SearchStrategy[Location]:
    """Generate places in and around Hérault in every form, also empty."""
    words = st.none() | one_liners(max_size=60)
    roads = st.builds(RoadRef, road=st.sampled_from(("A9", "D612", "N113")), direction=words, exit=words)
    points = st.builds(
        Point,
        latitude=st.floats(43.2, 43.9),
        longitude=st.floats(2.6, 4.2),
        accuracy=st.none() | st.floats(1, 5_000),
    )
    positions = st.tuples(st.floats(2.6, 4.2), st.floats(43.2, 43.9))
    lines = st.lists(positions, min_size=2, max_size=6, unique=True).map(lambda line: Polyline(coordinates=tuple(line)))
    return st.builds(
        Location,
        commune=st.none() | st.sampled_from(("34172", "34301", "34003")),
        department=st.none() | st.just("34"),
        commune_name=st.none() | st.sampled_from(("Montpellier", "Sète", "Saint-Jean-de-Védas")),
        department_name=st.none() | st.just("Hérault"),
        street=words,
        district=words,
        label=words,
        road=st.none() | roads,
        between=st.none() | st.tuples(one_liners(max_size=40), one_liners(max_size=40)),
        line=words,
        point=st.none() | points,
        polyline=st.none() | lines,
        precision=st.none() | st.sampled_from(Precision),
        also_departments=st.sampled_from(((), ("30",))),
    )


@st.composite
def lifecycles(draw: st.DrawFn) -> Lifecycle:
    """Generate every valid link to an incident."""
    stage = draw(st.sampled_from(Stage))
    incident = draw(st.sampled_from(_INCIDENTS))
    publication = draw(st.sampled_from(("0" * 26, "01JZ" + "A" * 22)))
    match stage:
        case Stage.STANDALONE:
            return Lifecycle()
        case Stage.OPENING:
            named = draw(st.none() | st.just(incident))
            return Lifecycle(stage=stage, incident=named, follows=draw(st.none() | st.just("earlier")))
        case Stage.CORRECTION:
            return Lifecycle(stage=stage, incident=draw(st.none() | st.just(incident)), corrects=publication)
        case Stage.CANCELLATION:
            alone = draw(st.booleans())
            return Lifecycle(stage=stage, incident=None if alone else incident, corrects=publication if alone else None)
        case _:
            return Lifecycle(stage=stage, incident=incident)


@st.composite
def messages(draw: st.DrawFn, /, **fixed: Any) -> Message:  # noqa: ANN401 - any field of a message
    """Generate messages of every stage and category.

    Args:
        draw: Passed by Hypothesis.
        fixed: Fields with a given value.
    """
    moments = st.none() | st.integers(-600, 6_000).map(lambda minutes: NOW + timedelta(minutes=minutes))
    start, end = draw(moments), draw(moments)
    if start and end and end <= start:
        start = None
    sentences = st.none() | one_liners(max_size=100)
    known = st.none() | st.builds(Known, confirmed=one_liners(max_size=100), unconfirmed=sentences)
    translation = st.builds(
        Translation,
        language=st.just("en"),
        headline=one_liners(),
        description=prose(),
        instruction=prose(max_parts=6),
        known=known,
    )
    fields = {
        "category": draw(st.sampled_from(Category)),
        "severity": draw(st.none() | st.sampled_from(Severity)),
        "urgency": draw(st.none() | st.sampled_from(Urgency)),
        "certainty": draw(st.none() | st.sampled_from(Certainty)),
        "location": draw(st.none() | locations()),
        "lifecycle": draw(lifecycles()),
        "headline": draw(one_liners()),
        "description": draw(prose(max_parts=40)),
        "instruction": draw(prose(max_parts=6)),
        "known": draw(known),
        "source": draw(st.none() | st.just("Météo-France")),
        "starts_at": start,
        "expires_at": end,
        "next_update_at": draw(moments),
        "link": draw(st.none() | st.just("https://police.example/info?id=1")),
        "hashtags": draw(st.lists(st.sampled_from(("Hérault", "#Circulation", "A9", "OTV")), max_size=5)),
        "translations": draw(st.just(()) | st.tuples(translation)),
        "exercise": draw(st.booleans()),
    }
    return Message.model_validate({**fields, **fixed})


@st.composite
def histories(draw: st.DrawFn, message: Message, channels: tuple[ChannelConfig, ...]) -> History:
    """Generate the history of a message's incident, which may be empty."""
    entries = []
    for sequence in range(1, draw(st.integers(1, 4))):
        stage = Stage.OPENING if sequence == 1 else Stage.UPDATE
        posts = [
            PostedPart(
                channel=draw(st.sampled_from([channel.name for channel in channels] + ["gone"])),
                account=draw(st.sampled_from([channel.account for channel in channels])),
                language=draw(st.sampled_from(("fr", "en"))),
                outcome=draw(st.sampled_from(Outcome)),
            )
            for _ in range(draw(st.integers(0, 3)))
        ]
        earlier = message.model_copy(
            update={
                "lifecycle": Lifecycle(stage=stage, incident=message.incident or "a"),
                "headline": draw(one_liners()),
            }
        )
        publication = f"{sequence:026d}"
        at = NOW - timedelta(minutes=100 - sequence)
        entries.append(
            HistoryEntry(publication=publication, sequence=sequence, message=earlier, at=at, posts=tuple(posts))
        )
    return History(incident=message.incident, entries=tuple(entries))
