"""What the page shows. Plain values: whoever lays them out decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from policenotify.cli.report.networks import Look

Tone: TypeAlias = Literal["act", "caution", "clear", "info"]
"""How urgent something looks, as a mail's banner does (ISO 22324): red, yellow, green, neutral."""

State: TypeAlias = Literal["good", "wait", "bad", "none"]
"""How an outcome looks: nothing to do, not settled, somebody must act, nothing became of it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time in the desk's zone."""

    at: datetime

    @property
    def iso(self) -> str:
        """For machines."""
        return self.at.isoformat(timespec="seconds")

    @property
    def clock(self) -> str:
        """`17:42`."""
        return f"{self.at:%H:%M}"

    @property
    def day(self) -> str:
        """`Friday 5 June 2026`."""
        return f"{self.at:%A} {self.at.day} {self.at:%B %Y}"

    @property
    def short(self) -> str:
        """`5 June, 17:42`."""
        return f"{self.at.day} {self.at:%B, %H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a text.

    Attributes:
        text: What is read.
        linked: The network makes a link of it.
        href: Where that leads, if it is a web address.
    """

    text: str
    linked: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture: its bytes as a `data:` URL (empty where they are not at hand), and its description."""

    src: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCard:
    """The card that a network makes of a link.

    Attributes:
        href: Where it leads; empty: nowhere that may be clicked.
        host: What readers see of the address.
        title: Its headline; empty: the network takes it from the page, and nobody knows it here.
        about: Its text.
    """

    href: str
    host: str
    title: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The formatted version of a mail.

    Attributes:
        document: A whole page for a sandboxed frame.
        heights: How high it is in pixels, about, in a frame of 240, 360, 520 and 670 pixels' width.
    """

    document: str
    heights: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """How much of its budget a text takes, in the network's own count.

    Attributes:
        used: So much.
        limit: Of so much.
        unit: What is counted.
        note: What the count alone does not say: `GSM-7, 2 segments`.
    """

    used: int
    limit: int
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a post.

    Attributes:
        state: How it looks.
        label: The outcome.
        meaning: What that is, in words.
        reason: Why.
        code: The network's own code.
        remedy: What to do now.
        people: How many people have which outcome: never who.
        notes: What else there is to say.
    """

    state: State
    label: str
    meaning: str
    reason: str = ""
    code: str = ""
    remedy: str = ""
    people: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The post that is answered: its id on the page (empty: it is not on it), and what to call it."""

    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One post as its readers see it, and what the desk wants to know of it.

    Attributes:
        id: Its id on the page.
        stage: Where its message stands in the incident, in a word.
        tone: How that looks.
        at: When it was said.
        language: BCP 47.
        wording: Which of two wordings it is; empty: there is one, or it is known which one went out.
        out: It is out.
        title: The subject of a mail.
        pieces: The text.
        segments: The text of an SMS as it travels.
        letter: The formatted version of a mail.
        images: Its pictures.
        link: Its link card.
        warning: Its content warning.
        answers: What it answers.
        meter: How much of its budget it takes; `None`: nothing was worded.
        omitted: What was left out so that the rest fits.
        verdict: What became of it; `None`: it was not sent, this is a preview.
    """

    id: str
    stage: str
    tone: Tone
    at: Moment
    language: str
    wording: str = ""
    out: bool = False
    title: str = ""
    pieces: tuple[Piece, ...] = ()
    segments: tuple[str, ...] = ()
    letter: Letter | None = None
    images: tuple[Image, ...] = ()
    link: LinkCard | None = None
    warning: str = ""
    answers: Answer | None = None
    meter: Meter | None = None
    omitted: tuple[str, ...] = ()
    verdict: Verdict | None = None

    @property
    def wants_a_look(self) -> bool:
        """Whether somebody should see it before the rest."""
        return bool(self.omitted) or (self.verdict is not None and self.verdict.state not in {"good", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One channel in one section: a timeline, a mailbox, a telephone.

    Attributes:
        id: Its id on the page.
        look: Its network.
        channel: The installation's name for it.
        name: Who speaks.
        initials: His, for the round picture.
        handle: The account, as readers know it; empty: they do not see one.
        columns: How many columns it takes where there are two, and where there are three.
        cards: Its posts, the oldest first.
    """

    id: str
    look: Look
    channel: str
    name: str
    initials: str
    handle: str
    columns: tuple[int, int]
    cards: tuple[Card, ...]

    @property
    def newest(self) -> Card:
        """The last post."""
        return self.cards[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a check remarked: its code, how much it weighs, what is wrong, what to do."""

    code: str
    level: str
    state: State
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the desk said, once.

    Attributes:
        id: Its id on the page.
        stage: Where it stands in the incident, in a word.
        tone: How that looks.
        at: When.
        language: BCP 47 of what it says.
        headline: What happens.
        description: More of it.
        instruction: What readers shall do.
        exercise: It is an exercise.
        remarks: What the checks remarked.
    """

    id: str
    stage: str
    tone: Tone
    at: Moment
    language: str
    headline: str
    description: str
    instruction: str
    exercise: bool
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """An incident, or a message that belongs to none.

    Attributes:
        id: Its id on the page.
        label: What the public calls its category.
        place: Where it is.
        language: BCP 47 of label, place and headline.
        headline: What happens.
        incident: The incident's id; empty: none.
        severity: How bad it is, in a word.
        state: Where it stands, in words.
        tone: How that looks.
        steps: What the desk said.
        devices: Where it is read.
    """

    id: str
    label: str
    place: str
    language: str
    headline: str
    incident: str
    severity: str
    state: str
    tone: Tone
    steps: tuple[Step, ...]
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """What somebody should look at: where it is on the page, and what it is."""

    id: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole page.

    Attributes:
        kind: What it was made by.
        sender: Who speaks.
        zone: In whose time.
        first: When the first message was said.
        last: When the last one was.
        figures: What there is of it: a number or word each, and what it counts.
        concerns: What somebody should look at.
        looks: The networks that are on it.
        closing: What holds for all of it, in a sentence.
        sections: What was said.
    """

    kind: Literal["demo", "preview"]
    sender: str
    zone: str
    first: Moment
    last: Moment
    figures: tuple[tuple[str, str], ...]
    concerns: tuple[Concern, ...]
    looks: tuple[Look, ...]
    closing: str
    sections: tuple[Section, ...]
