"""An operator's hour on PostgreSQL with Django: seven things happen, and each is seen in all windows within 10 s.

The windows are metrics, the log, events, the admin and the status. Their words state what to do.
The tests are one story and run in their order: each ends what it has begun, and nothing is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from policenotify import JournalError
from policenotify.events import EventKind
from policenotify.integrations.django import publisher
from tests.support.operators_hour import CHANNELS, NUMBERS, RETRY, Hour, open_hour
from tests.support.postgresql import binaries

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hour]:
    programs = binaries()
    if programs is None:
        pytest.skip("there is no PostgreSQL server: apt-get install postgresql")
    with open_hour(tmp_path_factory.mktemp("hour"), programs) as opened:
        yield opened


def test_a_worker_is_up(hour: Hour) -> None:
    assert hour.metric("workers") == 0
    hour.start_worker()
    hour.seen(
        "a worker is up",
        metric=lambda: hour.metric("workers") == 1,
        log=lambda: hour.logged("A worker runs", level="INFO", event="worker_started"),
        event=lambda: hour.told(EventKind.WORKER_STARTED),
        admin=lambda: "A worker runs:" in hour.page("channelrow"),
        status=lambda: hour.shows(0, "A worker runs on"),
    )


def test_a_message_is_posted(hour: Hour) -> None:
    made = hour.publish("rue Foch")
    about = f"publicationrow/{made.id}/change"
    hour.seen(
        "a post",
        metric=lambda: all(hour.metric("deliveries_total", channel=name, outcome="posted") == 1 for name in CHANNELS),
        log=lambda: hour.logged("posted", level="INFO", event="posted", publication=made.id, channel="bluesky"),
        event=lambda: (
            hour.told(EventKind.PUBLISHED) and hour.told(EventKind.POSTED, publication=made.id, channel="sms")
        ),
        admin=lambda: hour.page(about).count("posted") >= len(CHANNELS),
        status=lambda: hour.shows(0, "Accident rue Foch"),
    )


def test_a_network_is_down(hour: Hour) -> None:
    hour.bluesky.refuse_connections()
    made = hour.publish("rue Pitot")
    about = {"publication": made.id, "channel": "bluesky"}
    hour.seen(
        "a network is down",
        metric=lambda: hour.metric("deliveries_pending", channel="bluesky", state="waiting") == 1,
        attempts=lambda: (hour.metric("attempts_total", channel="bluesky", outcome="waiting") or 0) >= 1,
        log=lambda: hour.logged("If that lasts: policenotify doctor", level="WARNING", event="delayed", **about),
        event=lambda: hour.told(EventKind.DELAYED, **about),
        admin=lambda: "It will be tried again." in hour.page(f"publicationrow/{made.id}/change"),
        status=lambda: hour.shows(0, "It will be tried again."),
    )
    hour.bluesky.recover()
    hour.seen("the network is back", RETRY, posted=hour.all_posted, event=lambda: hour.told(EventKind.POSTED, **about))


def test_a_token_is_revoked(hour: Hour) -> None:
    token, hour.mastodon.token = hour.mastodon.token, "another-token-0123456789"
    made = hour.publish("rue Maguelone")
    hour.seen(
        "a token is revoked",
        metric=lambda: hour.metric("channel_blocked", channel="mastodon") == 1,
        log=lambda: hour.logged("policenotify doctor", level="ERROR", event="blocked", channel="mastodon"),
        event=lambda: hour.told(EventKind.BLOCKED, channel="mastodon"),
        admin=lambda: all(word in hour.page("channelrow") for word in ("blocked", "token", "Resume")),
        health=lambda: hour.get("/healthz").json()["status"] == "degraded",
        status=lambda: hour.shows(
            3, "channel mastodon: blocked", "policenotify doctor, or policenotify resume mastodon"
        ),
    )
    hour.mastodon.token = token
    hour.press("channelrow", decision="resume", channel="mastodon")
    hour.seen(
        "the token is valid again",
        posted=hour.all_posted,
        event=lambda: hour.told(EventKind.POSTED, publication=made.id, channel="mastodon"),
        metric=lambda: hour.metric("channel_blocked", channel="mastodon") == 0,
        status=lambda: hour.shows(0),
    )


def test_a_gateway_is_slow(hour: Hour) -> None:
    hour.sms.latency = 3
    made = hour.publish("rue Durand")
    about = {"publication": made.id, "channel": "sms"}
    delivery = made.on("sms").delivery
    hour.seen(
        "a gateway is slow",
        metric=lambda: hour.metric("deliveries_pending", channel="sms", state="held") == 1,
        log=lambda: hour.logged("held", level="WARNING", event="held", **about),
        event=lambda: hour.told(EventKind.HELD, **about),
        admin=lambda: "policenotify resolve" in hour.page(f"deliveryrow/{delivery}/change"),
        list=lambda: f" {delivery} " in hour.page("deliveryrow", held="1"),
        status=lambda: hour.shows(3, f"policenotify resolve {delivery}"),
    )
    hour.sms.latency = 0
    hour.press(f"deliveryrow/{delivery}/posted")
    hour.seen("the officer has looked", posted=hour.all_posted, status=lambda: hour.shows(0))


def test_the_disk_is_full(hour: Hour) -> None:
    if hour.server.small:
        hour.server.fill_disk()
        with pytest.raises(JournalError, match=r"the disk of its server is full\. Free some space"):
            hour.publish_until_it_fails()
    hour.server.fail()
    with pytest.raises(JournalError, match="Check that") as failed:
        hour.publish("rue Nulle")
    assert "Nothing was sent" in str(failed.value)
    hour.seen(
        "the disk is full",
        ready=lambda: hour.get("/readyz").status_code == 503,
        alive=lambda: hour.get("/livez").status_code == 200,
        metric=lambda: hour.get("/metrics").status_code == 503,
        log=lambda: hour.logged("The worker waits", level="ERROR"),
        admin=lambda: "Check that" in hour.page("channelrow"),
        status=lambda: hour.shows(6, "Check that"),
    )
    hour.server.repair()
    hour.seen(
        "the disk has room",
        RETRY,
        ready=lambda: hour.get("/readyz").status_code == 200,
        log=lambda: hour.logged("The worker goes on", level="WARNING"),
        posted=hour.look_for_held,  # a message whose result could not be stored may be on a telephone
        status=lambda: hour.shows(0),
    )


def test_a_worker_is_killed(hour: Hour) -> None:
    hour.mastodon.latency = 5
    begun = hour.publish("rue Saint-Guilhem")
    hour.seen(
        "a post is under way",
        network=lambda: len(hour.mastodon.posts) == len(hour.published),
        others=lambda: all(
            hour.told(EventKind.POSTED, publication=begun.id, channel=name) for name in ("bluesky", "sms")
        ),
    )
    hour.kill_worker()
    hour.mastodon.latency = 0
    made = hour.publish("rue Aiguillerie")
    hour.seen(
        "a worker is killed",
        metric=lambda: hour.metric("workers") == 0,
        log=lambda: hour.logged("policenotify worker", level="ERROR", event="worker_lost"),
        event=lambda: hour.told(EventKind.WORKER_LOST),
        admin=lambda: "no worker has run" in hour.page("channelrow"),
        status=lambda: hour.shows(5, "no worker has run", "policenotify drain", "policenotify worker"),
        python=lambda: publisher().operations.status().no_worker,
    )
    hour.start_worker()
    hour.seen(
        "another worker is up",
        RETRY,
        metric=lambda: hour.metric("workers") == 1,
        event=lambda: hour.told(EventKind.POSTED, publication=made.id, channel="sms"),
        posted=hour.all_posted,
        status=lambda: hour.shows(0),
    )


def test_nothing_is_lost_and_nothing_is_out_twice(hour: Hour) -> None:
    assert hour.end_worker() == 0
    hour.seen("the worker has ended", event=lambda: hour.told(EventKind.WORKER_STOPPED))
    expected = Counter(f"Accident {street}" for street in hour.published)
    for network in CHANNELS:
        texts = hour.texts(network)
        found = Counter({headline: sum(headline in text for text in texts) for headline in expected})
        assert len(texts) == len(expected) * (len(NUMBERS) if network == "sms" else 1)
        assert set(found.values()) == {len(NUMBERS) if network == "sms" else 1}, found
    publisher().journal.audit.seal()
    assert publisher().journal.audit.verify() >= 1


def test_no_line_holds_a_text_an_address_a_token_or_an_incident(hour: Hour) -> None:
    texts = [*hour.published, "Accident de", "déviation", "avenue de Toulouse"]
    secrets = [*NUMBERS, *hour.bluesky.secrets, hour.mastodon.token, hour.sms.password, hour.server.folder.name]
    incidents = [hour.incident(number) for number in range(1, len(hour.published) + 2)]
    lines = "\n".join(hour.out())
    assert [word for word in (*texts, *secrets, *incidents) if word in lines] == []
    assert all(publication.id in lines for publication in hour.published.values())
