"""Five networks at once: an incident as each of them shows it, and each of them down in thirteen ways."""

from __future__ import annotations

import logging
import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from desk import INCIDENT, accident, later
from five import ADDRESSES, NETWORKS, NOWHERE, NUMBERS, Five, open_five

from policenotify.channel import Operation
from policenotify.errors import PublicationFailed
from policenotify.message import Message
from policenotify.publisher import Publisher
from policenotify.receipt import Outcome, Publication, Receipt
from policenotify.scales import Severity
from policenotify.testing import Answer, Hang, HangUp
from policenotify.testing.stand import Reply


@pytest.fixture
def five(tmp_path: Path) -> Iterator[Five]:
    with open_five(tmp_path) as opened:
        yield opened


def _say(publisher: Publisher, message: Message, key: str) -> Publication:
    said = publisher.publish(message, key=key, actor="desk")
    assert said.in_order, "\n".join(map(str, said))
    return said


# --- an incident, everywhere


def test_an_incident_is_one_thread_and_carries_its_reference_where_there_is_none(five: Five) -> None:
    publisher = five.publisher()
    opened = _say(publisher, accident(), "1")
    _say(publisher, opened.update("Une voie rouverte"), "2")
    _say(publisher, publisher.incident(INCIDENT).end("Fin d'intervention", description="Circulation rétablie."), "3")

    first, second, third = five.x.posts
    assert (first.parent, second.parent, third.parent) == (None, first.id, second.id)
    assert [post.id for post in five.x.thread(first.id)] == [first.id, second.id, third.id]
    toot, reply, last = five.mastodon.posts
    assert (toot.parent, reply.parent, last.parent) == (None, toot.id, reply.id)
    assert (toot.visibility, reply.visibility, last.visibility) == ("public", "unlisted", "public")
    root, skeet, end = five.bluesky.posts
    assert (skeet.root, skeet.parent, end.root, end.parent) == (root.uri, root.uri, root.uri, skeet.uri)
    for address in ADDRESSES:
        [thread] = five.mail.threads(address)
        assert len(thread) == 3
    for number in NUMBERS:
        texts = [message.text for message in five.sms.phone(number)]
        assert len(texts) == 3
        [reference] = {found[1] for text in texts if (found := re.search(r"Réf\. ([0-9A-Z]{5})\b", text))} or {""}
        assert all(f"Réf. {reference}" in text for text in texts), texts
        assert not any("#" in text or "🚨" in text for text in texts)
        assert {message.encoding for message in five.sms.phone(number)} == {"GSM-7"}


def test_a_correction_and_a_cancellation_do_what_each_network_can(five: Five) -> None:
    publisher = five.publisher()
    opened = _say(publisher, accident(severity=Severity.MINOR), "1")
    corrected = _say(publisher, opened.correct("Le secteur est celui de la gare"), "2")
    assert {one.channel: one.operation for one in corrected} == {
        name: Operation.EDIT if name == "mastodon" else Operation.POST for name in NETWORKS
    }
    [toot] = five.mastodon.posts
    assert "celui de la gare" in toot.text
    assert len(five.x.posts) == len(five.bluesky.posts) == 2
    _say(publisher, opened.cancel("Fausse alerte"), "3")
    assert len(five.mastodon.posts) == 2
    assert "ANNULATION" in five.x.posts[-1].text


@pytest.mark.slow
@pytest.mark.parametrize("how", ["delete", "both"])
def test_a_cancellation_takes_back_what_can_be_taken_back(five: Five, how: Literal["delete", "both"]) -> None:
    publisher = five.publisher(channels=[five.channel(name, on_cancellation=how) for name in NETWORKS])
    opened = _say(publisher, accident(), "1")
    updated = _say(publisher, opened.update("Une voie rouverte"), "2")
    cancelled = _say(publisher, updated.cancel("Fausse alerte"), "3")
    left = 1 if how == "both" else 0
    assert [len(five.read(name)) for name in ("x", "mastodon", "bluesky")] == [left] * 3
    assert [len(five.read(name)) for name in ("email", "sms")] == [9, 9]
    assert Counter(one.operation for one in cancelled)[Operation.DELETE] == 6


@pytest.mark.slow
def test_no_secret_and_nobody_s_address_is_left_in_clear(
    five: Five, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """After a full run with trouble everywhere: journal, logs of all libraries at DEBUG, exceptions, reprs."""
    caplog.set_level(logging.DEBUG)
    for name in set(logging.root.manager.loggerDict) - {"mail.log"}:  # the stand's own: it plays the other side
        caplog.set_level(logging.DEBUG, logger=name)
    publisher = five.publisher()
    opened = publisher.publish(accident(), key="1", actor="desk")
    five.mail.refuse(ADDRESSES[0], 550, f"5.1.1 <{ADDRESSES[0]}> unknown")
    five.sms.refuse(NUMBERS[0])
    for network, route in _ROUTES.items():
        getattr(five, network).fail_next(*route, HangUp(), effect=True)
    updated = publisher.publish(opened.update("Une voie rouverte"), key="2", actor="desk")
    with pytest.raises(PublicationFailed) as caught:
        updated.raise_for_failures()
    publisher.close()
    told = "\n".join(
        [
            caplog.text,
            *capfd.readouterr(),
            "".join(traceback.format_exception(caught.value)),
            *(repr(one) for one in (caught.value.receipts, publisher, publisher.channels, opened, updated)),
        ]
    ).encode()
    for file in five.folder.iterdir():
        told += file.read_bytes()
    secrets = {*five.x.secrets, *five.mastodon.secrets, *five.bluesky.secrets, *five.sms.secrets, *five.x.consumer}
    secrets |= {*five.x.access, five.mastodon.token, five.bluesky.password, "eyJ", *ADDRESSES}
    for secret in secrets - {five.sms.user, five.sms.space}:  # words, and no secrets
        assert secret.encode() not in told, secret
    for number in NUMBERS:
        assert number[3:].encode() not in told, number


# --- one of them down

WAYS: Final = (
    "refused",  # nobody listens
    "no such name",  # DNS
    "silent, not taken",  # the time is up before it was taken
    "silent, taken",  # and after
    "cut, taken",  # the connection goes before the answer comes
    "429",
    "500",
    "HTML",
    "429, no reset",
    "half a body",
    "redirect",
    "no TLS",
    "revoked",
)
_FOR_GOOD: Final = {"no such name", "no TLS", "revoked"}  # until a person acts

_ROUTES: Final = {
    "x": ("POST", "/2/tweets"),
    "mastodon": ("POST", "/api/v1/statuses"),
    "bluesky": ("POST", "/xrpc/com.atproto.repo.putRecord"),
    "sms": ("*", "/cgi-bin/sendsms"),
}
_REPLIES: Final[dict[str, tuple[Reply, bool]]] = {
    "silent, not taken": (Hang(5), False),
    "silent, taken": (Hang(5), True),
    "cut, taken": (HangUp(), True),
    "429": (Answer.rate_limited(retry_after=1), False),
    "500": (Answer.json({"error": "InternalServerError", "message": "oh"}, 500), False),
    "HTML": (Answer.html("<h1>Connectez-vous au Wi-Fi</h1>"), False),
    "429, no reset": (Answer.rate_limited(), False),
    "half a body": (HangUp("half"), True),
    "redirect": (Answer.redirect(NOWHERE), False),
}
_MAIL: Final[dict[str, Callable[[Any], None]]] = {
    "silent, not taken": lambda mail: mail.hang_up("DATA", silence=5),
    "silent, taken": lambda mail: mail.hang_up("DATA", delivered=True, silence=5),
    "cut, taken": lambda mail: mail.hang_up("DATA", delivered=True),
    "429": lambda mail: mail.refuse("*", 451, "4.7.1 come back later", times=3),
    "500": lambda mail: mail.fail_next("MAIL", 421, "4.3.0 the server is broken", times=2),
    "HTML": lambda mail: mail.fail_next("EHLO", 421, "<html>Connectez-vous</html>", times=2),
    "429, no reset": lambda mail: mail.fail_next("MAIL", 450, "4.7.0 too many mails", times=3),
    "half a body": lambda mail: mail.hang_up("RCPT"),  # half a conversation
    "redirect": lambda mail: mail.refuse(ADDRESSES[0], 551, "5.1.6 please try <somebody@elsewhere.example>"),
    "revoked": lambda mail: mail.fail_next("MAIL", 530, "5.7.0 Authentication required", times=9),
}
_REVOKED: Final[dict[str, Callable[[Any], None]]] = {
    "x": lambda stand: setattr(stand, "nobody", True),
    "mastodon": lambda stand: stand.always(Answer.json({"error": "The access token was revoked"}, 401)),
    "bluesky": lambda stand: setattr(stand, "password", "another"),
    "sms": lambda stand: setattr(stand, "password", "another"),
}

# What the receipt says first, for one reader or for the first of three, and what readers have in the end: `1` or `3`
# once all is settled; mail and SMS know no keys and cannot be asked, so one in doubt is held for a person to look.
WAITS, DOUBT, HELD, SAID = Outcome.WAITING, Outcome.UNCONFIRMED, Outcome.HELD, Outcome.POSTED
TABLE: Final = {
    #                      x            mastodon     bluesky      email        sms
    "refused":           ((WAITS, 1), (WAITS, 1), (WAITS, 1), (WAITS, 3), (WAITS, 3)),
    "no such name":      ((WAITS, 0), (WAITS, 0), (WAITS, 0), (WAITS, 0), (WAITS, 0)),
    "silent, not taken": ((DOUBT, 1), (DOUBT, 1), (DOUBT, 1), (HELD, 2), (HELD, 2)),
    "silent, taken":     ((DOUBT, 1), (DOUBT, 1), (DOUBT, 1), (HELD, 3), (HELD, 3)),
    "cut, taken":        ((DOUBT, 1), (DOUBT, 1), (DOUBT, 1), (HELD, 3), (HELD, 3)),
    "429":               ((WAITS, 1), (WAITS, 1), (WAITS, 1), (WAITS, 3), (WAITS, 3)),
    "500":               ((DOUBT, 1), (DOUBT, 1), (DOUBT, 1), (WAITS, 3), (HELD, 2)),
    "HTML":              ((DOUBT, 1), (DOUBT, 1), (DOUBT, 1), (WAITS, 3), (SAID, 2)),  # Kannel's yes is no proof
    "429, no reset":     ((WAITS, 1), (WAITS, 1), (WAITS, 1), (WAITS, 3), (WAITS, 3)),
    "half a body":       ((DOUBT, 1), (DOUBT, 1), (DOUBT, 1), (SAID, 3), (HELD, 3)),
    "redirect":          ((DOUBT, 1), (DOUBT, 1), (DOUBT, 1), (SAID, 2), (HELD, 2)),
    "no TLS":            ((WAITS, 0), (WAITS, 0), (WAITS, 0), (WAITS, 0), (HELD, 0)),  # a lost call looks so to apprise
    "revoked":           ((WAITS, 0), (WAITS, 0), (WAITS, 0), (WAITS, 0), (WAITS, 0)),
}  # fmt: skip


def _break(five: Five, network: str, way: str) -> None:
    stand: Any = five.mail if network == "email" else getattr(five, network)
    if way == "refused":
        stand.refuse_connections()
    elif network == "email" and way in _MAIL:
        _MAIL[way](five.mail)
    elif way == "revoked":
        _REVOKED[network](stand)
    elif way in _REPLIES:
        reply, effect = _REPLIES[way]
        stand.fail_next(*_ROUTES[network], reply, effect=effect)


def _first(receipt: Receipt) -> Outcome:
    """What the receipt says of the post, or of the person who fared worst."""
    people = receipt.recipients or {}
    return next((one for one in (HELD, WAITS, DOUBT, SAID) if people.get(one)), receipt.outcome)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("network", NETWORKS)
def test_one_network_down(five: Five, network: str, way: str) -> None:
    first, readers = TABLE[way][NETWORKS.index(network)]
    five.timeout = 0.4
    astray = {"no such name": five.lost, "no TLS": five.untrusted}.get(way)
    publisher = five.publisher(lost=network if astray else "", astray=astray, patience=later)
    _break(five, network, way)
    said = publisher.publish(accident(severity=Severity.MODERATE), key="open", actor="desk", wait=timedelta(seconds=8))

    # The receipt tells the truth, and what to do.
    receipt = said.on(network)
    assert _first(receipt) is first, str(receipt)
    if first is not SAID:
        assert receipt.reason or receipt.recipients, str(receipt)
    # The others have published, each once.
    for other in set(NETWORKS) - {network}:
        assert said.on(other).outcome is SAID, str(said.on(other))
        assert len(five.read(other)) == (3 if other in {"email", "sms"} else 1)

    # When it is well again, nothing was lost and nothing doubled.
    for stand in (five.x, five.mastodon, five.bluesky, five.mail, five.sms):
        stand.recover()
    for _ in range(3):
        five.clock.ahead += timedelta(minutes=6)
        publisher.drain(timedelta(seconds=8))
    texts = five.read(network)
    assert len(texts) == readers, str(publisher.publication("open"))
    settled = publisher.publication("open")
    assert settled is not None
    assert _first(settled.on(network)) is (HELD if first is HELD else WAITS if way in _FOR_GOOD else SAID)
    people = NUMBERS if network == "sms" else ADDRESSES if network == "email" else ("everybody",)
    assert len(texts) <= len(people)


def test_the_table_is_whole() -> None:
    assert tuple(TABLE) == WAYS
    assert {len(row) for row in TABLE.values()} == {len(NETWORKS)}
