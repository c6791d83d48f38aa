"""An incident as each of five networks shows it, and no secret in clear after a failure."""

from __future__ import annotations

import logging
import re
import traceback

import pytest

from policenotify.channel import Operation
from policenotify.model.cap import Severity
from policenotify.model.message import Message
from policenotify.model.receipt import Publication, PublicationFailed
from policenotify.publishing.publisher import Publisher
from policenotify.testing import Disconnect
from policenotify.testing.samples import SENDER
from policenotify.text import sms
from tests.support.faults import PUBLISHES
from tests.support.five_networks import ADDRESSES, NETWORKS, NUMBERS, Five
from tests.support.installation import INCIDENT, accident
from tests.support.patience import LONG


def _publish(publisher: Publisher, message: Message, key: str) -> Publication:
    said = publisher.publish(message, key=key, actor="desk", wait=LONG)
    assert said.ok, "\n".join(map(str, said))
    return said


# --- an incident, everywhere


def test_an_incident_is_one_thread_and_names_its_sender_and_reference_where_there_is_none(five: Five) -> None:
    publisher = five.publisher()
    opened = _publish(publisher, accident(), "1")
    _publish(publisher, opened.update("Une voie rouverte"), "2")
    _publish(
        publisher,
        publisher.operations.incident(INCIDENT).end("Fin d'intervention", description="Circulation rétablie."),
        "3",
    )

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
        [reference] = {found[0] for text in texts if (found := re.search(r"Réf\. [0-9A-Z]{5}\b", text))}
        for text in texts:  # the reference is not worth one more message
            assert reference in text or sms(f"{text} {reference}").segments > sms(text).segments
        assert [text.endswith(f"\n{SENDER}") for text in texts] == [True, False, False]
        assert not any("#" in text or "🚨" in text for text in texts)
        assert {message.encoding for message in five.sms.phone(number)} == {"GSM-7"}


def test_a_correction_and_a_cancellation_do_what_each_network_can(five: Five) -> None:
    publisher = five.publisher()
    opened = _publish(publisher, accident(severity=Severity.MINOR), "1")
    corrected = _publish(publisher, opened.correct("Le secteur est celui de la gare"), "2")
    assert {one.channel: one.operation for one in corrected} == {
        name: Operation.EDIT if name == "mastodon" else Operation.POST for name in NETWORKS
    }
    [toot] = five.mastodon.posts
    assert "celui de la gare" in toot.text
    assert len(five.x.posts) == len(five.bluesky.posts) == 2
    _publish(publisher, opened.cancel("Fausse alerte"), "3")
    assert len(five.mastodon.posts) == 2
    assert "ANNULATION" in five.x.posts[-1].text


@pytest.mark.slow
def test_no_secret_and_no_address_is_left_in_clear(
    five: Five, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """After a full run with trouble everywhere: journal, logs of all libraries at DEBUG, exceptions, reprs."""
    caplog.set_level(logging.DEBUG)
    for name in set(logging.root.manager.loggerDict) - {"mail.log"}:  # the fake server's own log
        caplog.set_level(logging.DEBUG, logger=name)
    publisher = five.publisher()
    opened = publisher.publish(accident(), key="1", actor="desk")
    five.mail.refuse(ADDRESSES[0], 550, f"5.1.1 <{ADDRESSES[0]}> unknown")
    five.sms.refuse(NUMBERS[0])
    for network, route in PUBLISHES.items():
        getattr(five, network).fail_next(*route, Disconnect(), effect=True)
    updated = publisher.publish(opened.update("Une voie rouverte"), key="2", actor="desk")
    with pytest.raises(PublicationFailed) as caught:
        updated.raise_for_failures()
    publisher.close()
    told = "\n".join(
        [
            caplog.text,
            *capfd.readouterr(),
            "".join(traceback.format_exception(caught.value)),
            *(
                repr(one)
                for one in (caught.value.receipts, publisher, publisher.installation.channel_configs, opened, updated)
            ),
        ]
    ).encode()
    for file in five.folder.iterdir():
        told += file.read_bytes()
    secrets = {*five.x.secrets, *five.mastodon.secrets, *five.bluesky.secrets, *five.sms.secrets, *five.x.consumer}
    secrets |= {*five.x.access, five.mastodon.token, five.bluesky.password, "eyJ", *ADDRESSES}
    for secret in secrets - {five.sms.user}:  # a word, and no secret
        assert secret.encode() not in told, secret
    for number in NUMBERS:
        assert number[3:].encode() not in told, number
