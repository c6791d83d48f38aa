"""External failures of one of five networks, and their expected results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from sqlalchemy import select

from policenotify.journal.database import schema
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.receipt import Publication, Receipt
from policenotify.publishing.publisher import Publisher
from policenotify.testing import Answer, Disconnect, NoResponse
from policenotify.testing.servers.http import Reply
from tests.support.five_networks import ADDRESSES, NETWORKS, NOWHERE, NUMBERS, Five
from tests.support.installation import accident, later
from tests.support.patience import short

LOGIN: Final = ("desk", "motdepasse")
PEOPLE: Final = {"email": ADDRESSES, "sms": NUMBERS}

# What the receipt says first, for one reader or for the first of three, and what readers have once all is settled
# that settles by itself, `1` or `3`: mail and SMS know no keys and cannot be asked, so one in doubt is held for a
# person.
WAITS, DOUBT, HELD, SAID = Outcome.WAITING, Outcome.UNCONFIRMED, Outcome.HELD, Outcome.POSTED
BLOCKED: Final = "blocked"  # waits, and its channel is closed until a person acts
Cell = tuple[Outcome | str, int] | None  # `None`: not possible on this network
TABLE: Final[dict[str, tuple[Cell, ...]]] = {
    #                      x              mastodon       bluesky        email          sms
    "refused":           ((WAITS, 1),    (WAITS, 1),    (WAITS, 1),    (WAITS, 3),    (WAITS, 3)),
    "no such name":      ((WAITS, 0),    (WAITS, 0),    (WAITS, 0),    (WAITS, 0),    (WAITS, 0)),
    "not trusted":       ((WAITS, 0),    (WAITS, 0),    (WAITS, 0),    (WAITS, 0),    (WAITS, 0)),
    "no TLS":            ((WAITS, 0),    (WAITS, 0),    (WAITS, 0),    (WAITS, 0),    (HELD, 0)),
    "silent, not taken": ((DOUBT, 1),    (DOUBT, 1),    (DOUBT, 1),    (HELD, 2),     (HELD, 2)),
    "silent, taken":     ((DOUBT, 1),    (DOUBT, 1),    (DOUBT, 1),    (HELD, 3),     (HELD, 3)),
    "cut, taken":        ((DOUBT, 1),    (DOUBT, 1),    (DOUBT, 1),    (HELD, 3),     (HELD, 3)),
    "half a body":       ((DOUBT, 1),    (DOUBT, 1),    (DOUBT, 1),    (SAID, 3),     (HELD, 3)),
    "429":               ((WAITS, 1),    (WAITS, 1),    (WAITS, 1),    (WAITS, 3),    (WAITS, 3)),
    "429, no reset":     ((WAITS, 1),    (WAITS, 1),    (WAITS, 1),    (WAITS, 3),    (WAITS, 3)),
    "500":               ((DOUBT, 1),    (DOUBT, 1),    (DOUBT, 1),    (WAITS, 3),    (HELD, 2)),
    "HTML":              ((DOUBT, 1),    (DOUBT, 1),    (DOUBT, 1),    (WAITS, 3),    (SAID, 2)),
    "redirect":          ((DOUBT, 1),    (DOUBT, 1),    (DOUBT, 1),    (SAID, 2),     (HELD, 2)),
    "clock ahead":       ((BLOCKED, 0),  (DOUBT, 1),    (DOUBT, 1),    (HELD, 3),     (HELD, 3)),
    "clock behind":      ((WAITS, 1),    (WAITS, 1),    (WAITS, 1),    (WAITS, 3),    (WAITS, 3)),
    "clock set back":    ((DOUBT, 1),    (DOUBT, 1),    (DOUBT, 1),    (HELD, 3),     (HELD, 3)),
    "clock set on":      ((DOUBT, 1),    (DOUBT, 1),    (DOUBT, 1),    (HELD, 3),     (HELD, 3)),
    "expired":           ((SAID, 1),     None,          (SAID, 1),     None,          None),
    "ended":             ((BLOCKED, 0),  None,          (SAID, 1),     None,          None),
    "revoked":           ((BLOCKED, 0),  (BLOCKED, 0),  (BLOCKED, 0),  (BLOCKED, 0),  (BLOCKED, 0)),
}  # fmt: skip
CELLS: Final = [
    (network, way) for network in NETWORKS for way, row in TABLE.items() if row[NETWORKS.index(network)] is not None
]
_HOURS: Final = timedelta(hours=3)
_RESET: Final = timedelta(minutes=10)  # the time for which a network asks to be left alone

PUBLISHES: Final = {
    "x": ("POST", "/2/tweets"),
    "mastodon": ("POST", "/api/v1/statuses"),
    "bluesky": ("POST", "/xrpc/com.atproto.repo.putRecord"),
    "sms": ("*", "/cgi-bin/sendsms"),
}
_REPLIES: Final[dict[str, tuple[Reply, bool]]] = {
    "silent, not taken": (NoResponse(), False),
    "silent, taken": (NoResponse(), True),
    "cut, taken": (Disconnect(), True),
    "half a body": (Disconnect("half"), True),
    "429": (Answer.rate_limited(retry_after=1), False),
    "429, no reset": (Answer.rate_limited(), False),
    "500": (Answer.json({"error": "InternalServerError", "message": "oh"}, 500), False),
    "HTML": (Answer.html("<h1>Connectez-vous au Wi-Fi</h1>"), False),
    "redirect": (Answer.redirect(NOWHERE), False),
    "clock ahead": (Disconnect(), True),
    "clock set back": (Disconnect(), True),
    "clock set on": (Disconnect(), True),
}
_CUT_MAIL: Final[Callable[[Any], None]] = lambda mail: mail.hang_up("DATA", delivered=True)  # noqa: E731 - one of those below
_MAIL: Final[dict[str, Callable[[Any], None]]] = {
    "silent, not taken": lambda mail: mail.hang_up("DATA", silence=5),
    "silent, taken": lambda mail: mail.hang_up("DATA", delivered=True, silence=5),
    "cut, taken": _CUT_MAIL,
    "half a body": lambda mail: mail.hang_up("RCPT"),  # half a conversation
    "429": lambda mail: mail.refuse("*", 451, "4.7.1 come back later", times=3),
    "429, no reset": lambda mail: mail.fail_next("MAIL", 450, "4.7.0 too many mails", times=3),
    "500": lambda mail: mail.fail_next("MAIL", 421, "4.3.0 the server is broken", times=2),
    "HTML": lambda mail: mail.fail_next("EHLO", 421, "<html>Connectez-vous</html>", times=2),
    "redirect": lambda mail: mail.refuse(ADDRESSES[0], 551, "5.1.6 please try <somebody@elsewhere.example>"),
    "clock ahead": _CUT_MAIL,
    "clock behind": lambda mail: mail.refuse("*", 451, "4.7.1 come back later", times=3),
    "clock set back": _CUT_MAIL,
    "clock set on": _CUT_MAIL,
}
_REVOKED: Final[dict[str, tuple[str, object]]] = {
    "x": ("access", ("another", "secret")),
    "mastodon": ("token", "another"),
    "bluesky": ("password", "another"),
    "email": ("login", (LOGIN[0], "un autre")),
    "sms": ("password", "another"),
}


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the journal holds of one delivery.

    Attributes:
        doubt: It may be published.
        unended: Number of attempts without a recorded end.
        asked: The request to the network is kept.
        retry_at: The earliest time of the next attempt.
        blocked: Why its channel is blocked, or empty.
        people: States and doubts of its recipients.
    """

    state: str
    doubt: bool
    attempts: int
    unended: int
    asked: bool
    retry_at: datetime
    blocked: str
    people: Counter[tuple[str, bool]] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Suffered:
    """The course of a publication on a network that failed.

    Attributes:
        at: When it was published, by our clock.
        said: The first receipts of all channels.
        held: What the journal held then.
        alone: What readers have once all is settled that settles by itself, and the receipt.
        after: As `alone`, when an operator has done what the receipt asked for.
    """

    at: datetime
    said: Publication
    held: Held
    alone: tuple[list[str], Receipt]
    after: tuple[list[str], Receipt]


def suffer(five: Five, network: str, way: str) -> Suffered:
    """Publish while a network fails in one way. Then let it recover, time pass, and an operator act."""
    accepted = getattr(_server(five, network), _REVOKED[network][0])
    publisher = _failing(five, network, way)
    at = five.clock.now()
    said = publisher.publish(accident(severity=Severity.MODERATE), key="open", actor="desk", wait=timedelta(seconds=30))
    held = journalled(publisher, said.on(network).delivery)
    for server in (five.x, five.mastodon, five.bluesky, five.mail, five.sms):
        server.recover()
    five.clock.ahead += {"clock set back": -_HOURS, "clock set on": _HOURS}.get(way, timedelta(0))
    alone = _later(five, publisher, network)
    publisher = _set_right(five, publisher, network, way, accepted)
    return Suffered(at=at, said=said, held=held, alone=alone, after=_later(five, publisher, network))


def journalled(publisher: Publisher, delivery: int) -> Held:
    """Return what the journal holds of a delivery."""
    attempts, people, table = schema.attempt, schema.recipient, schema.delivery
    with publisher.journal.read() as connection:
        row = connection.execute(select(table).where(table.c.id == delivery)).one()
        unended = connection.execute(
            select(attempts).where(attempts.c.delivery == delivery, attempts.c.ended_at.is_(None))
        ).all()
        told = connection.execute(select(people.c.state, people.c.in_doubt).where(people.c.delivery == delivery)).all()
    blocked = publisher.journal.channels.blocked().get(row.channel)
    return Held(
        state=row.state,
        doubt=row.in_doubt,
        attempts=row.attempts,
        unended=len(unended),
        asked=row.request is not None,
        retry_at=datetime.fromtimestamp(row.not_before / 1e6, UTC),
        blocked=str(blocked.reason) if blocked else "",
        people=Counter((one.state, one.in_doubt) for one in told),
    )


def worst(receipt: Receipt) -> Outcome:
    """Return the result of the post, or the worst result of a recipient."""
    people = receipt.recipients or {}
    return next((one for one in (HELD, WAITS, DOUBT, SAID) if people.get(one)), receipt.outcome)


def _failing(five: Five, network: str, way: str) -> Publisher:
    tokens = network == "x" and way in {"clock behind", "expired", "ended"}
    led = {"no such name": five.lost, "not trusted": five.untrusted, "no TLS": five.without_tls}.get(way, five.options)
    options = five.renewable() if tokens else led(network)
    if way.startswith("silent"):
        options["timeout"] = short(1.0)
    five.clock.ahead = _HOURS if way == "clock set back" else timedelta(0)
    five.theirs.ahead = {"clock ahead": -_HOURS, "clock behind": _HOURS}.get(way, timedelta(0))
    five.x.clock_tolerance = timedelta(hours=1) if network == "x" else None  # the others shall publish
    publisher = five.publisher(lost=network, astray=lambda _network: options, backoff=later)
    server = _server(five, network)
    if way in {"expired", "ended"}:  # what was logged in before
        channel = publisher.installation.channel_configs[network].open(
            five.clock, publisher.journal.channels.state_store(network)
        )
        channel.whoami()
        channel.close()
        server.expire_access()
        if way == "ended":
            server.revoke_refresh()
    elif way == "refused":
        server.refuse_connections()
    elif way == "revoked":
        setattr(server, *_REVOKED[network])
    elif network == "email" and way in _MAIL:
        _MAIL[way](server)
    elif way == "clock behind":
        server.fail_next(*PUBLISHES[network], _limited(network, five.theirs.now()))
    elif way in _REPLIES:
        reply, effect = _REPLIES[way]
        server.fail_next(*PUBLISHES[network], reply, effect=effect)
    return publisher


def _server(five: Five, network: str) -> Any:
    return five.mail if network == "email" else getattr(five, network)


def _limited(network: str, there: datetime) -> Answer:
    """A limit that ends at a time of the network's own clock, each in its own way."""
    ends = there + _RESET
    headers = {
        "x": {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(ends.timestamp()))},
        "mastodon": {"X-RateLimit-Reset": ends.isoformat().replace("+00:00", "Z")},
        "bluesky": {"RateLimit-Reset": str(int(ends.timestamp()))},
        "sms": {"Retry-After": format_datetime(ends, usegmt=True)},
    }
    return Answer.json({"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, 429, headers=headers[network])


def _later(five: Five, publisher: Publisher, network: str) -> tuple[list[str], Receipt]:
    for _ in range(3):
        five.clock.ahead += timedelta(minutes=6)
        five.theirs.ahead += timedelta(minutes=6)
        publisher.drain(timedelta(seconds=8))
    told = publisher.operations.publication("open")
    assert told is not None
    return five.read(network), told.on(network)


def _set_right(five: Five, publisher: Publisher, network: str, way: str, accepted: object) -> Publisher:
    """Do what the receipt asks an operator to do."""
    told = publisher.operations.publication("open")
    assert told is not None
    receipt, server = told.on(network), _server(five, network)
    if way == "clock ahead":
        five.theirs.ahead = five.clock.ahead
    elif way == "revoked":
        setattr(server, _REVOKED[network][0], accepted)
    elif way == "ended" and network == "x":
        five.x.refresh_token = five.x.authorise()
    if way in {"no TLS", "ended"}:
        publisher.close()
        right = five.renewable if way == "ended" and network == "x" else lambda: five.options(network)
        publisher = five.publisher(lost=network, astray=lambda _network: right(), backoff=later)
    if receipt.outcome is HELD or worst(receipt) is HELD:
        whole = len(five.read(network)) == len(PEOPLE.get(network, "1"))
        publisher.journal.sendings.resolve(receipt.delivery, "desk", posted=whole)
    publisher.journal.resume("desk", network)
    return publisher
