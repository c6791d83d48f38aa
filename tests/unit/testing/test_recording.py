"""The recording publisher shows what the networks would have got, and reaches none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import create_engine

import policenotify
from policenotify import (
    Lifecycle,
    Message,
    Outcome,
    Publisher,
    SettingsError,
    Severity,
    Translation,
)
from policenotify.channel import Capabilities, Operation
from policenotify.checks import checks_of
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed, UnknownNetwork
from policenotify.networks.registry import configure_channel, default_capabilities, network
from policenotify.testing import FakeClock, InMemoryStateStore, Recording, recording_publisher
from policenotify.testing.publisher import RECIPIENTS, RETRY_DELAY, _RealPace
from policenotify.testing.samples import SENDER
from policenotify.text import Budget
from tests.support.five_networks import ADDRESSES, NETWORKS, NUMBERS, open_five
from tests.support.installation import INCIDENT, accident

LINK: Final = "https://www.police.example/actualites/2026/accident-avenue-de-toulouse"


def _publish(publisher: Publisher, message: Message, key: str, **how: Any) -> policenotify.Publication:
    return publisher.publish(message, key=key, actor="desk", **how)


def _course(publisher: Publisher, clock: FakeClock) -> None:
    """An incident with every kind of message."""
    opened = _publish(publisher, accident(severity=Severity.MINOR, link=LINK), "1")
    clock.pass_by(60)
    _publish(publisher, opened.correct("« Le secteur » est celui de la gare"), "2")
    clock.pass_by(60)
    _publish(publisher, publisher.operations.incident(INCIDENT).update("Une voie rouverte ➜ soyez prudents"), "3")
    clock.pass_by(60)
    _publish(
        publisher,
        publisher.operations.incident(INCIDENT).end("Fin d'intervention", description="Circulation rétablie."),
        "4",
    )


def _reads(desk: Recording, channel: str) -> list[str]:
    """The posts that remain visible, with edits applied."""
    return list({post.id: post.text for post in desk.on(channel)}.values())


# --- the same as there


def test_recorded_posts_equal_those_that_the_networks_receive_byte_for_byte(tmp_path: Path) -> None:
    here, there = FakeClock(), FakeClock()
    with open_five(tmp_path) as five, recording_publisher(sender=SENDER, clock=here) as desk:
        five.keys, five.clock = desk.publisher.journal.keys, _RealPace(there)  # type: ignore[assignment]  # nothing puts it ahead
        _course(desk.publisher, here)
        _course(five.publisher(), there)
        shown = {name: getattr(five, name).posts for name in ("x", "mastodon", "bluesky")}
        mails = [mail.message for mail in five.mail.mailbox(ADDRESSES[0])]
        texts = [message.text for message in five.sms.phone(NUMBERS[0])]

    for name, posts in shown.items():
        assert _reads(desk, name) == [post.text for post in posts], name
    assert [bool(post.parent) for post in shown["bluesky"]] == [bool(post.parent) for post in desk.on("bluesky")]
    assert [post.operation for post in desk.on("mastodon")][:2] == [Operation.POST, Operation.EDIT]
    assert any("…" in post.text for post in desk.on("bluesky")), "an address was shortened"
    assert [post.text for post in desk.on("sms")] == texts
    plain, html = ([mail.get_body((kind,)) for mail in mails] for kind in ("plain", "html"))
    assert [post.title for post in desk.on("email")] == [str(mail["Subject"]) for mail in mails]
    assert [post.text for post in desk.on("email")] == [part and part.get_content() for part in plain]
    assert [post.html for post in desk.on("email")] == [part and part.get_content() for part in html]


# --- nothing leaves, nothing stays

_ALONE: Final = """
import sys
without = {"apprise", "atproto", "click", "httpx", "hypothesis", "mastodon", "pytest", "requests", "rich", "tweepy"}

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in without:
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Without())
done = []
sys.addaudithook(lambda event, args: event.startswith("socket.") and done.append(event))
import os, tempfile, threading
from policenotify import Lifecycle, Location, Message
from policenotify.testing import recording_publisher
with recording_publisher() as desk:
    [folder] = os.listdir(tempfile.gettempdir())
    accident = Message(
        category="traffic_accident",
        location=Location(commune="34172"),
        headline="Accident",
        instruction="Évitez le secteur.",
        lifecycle=Lifecycle(stage="opening", incident="1"),
    )
    desk.publisher.publish(accident, key="1", actor="a").raise_for_failures()
    worker = desk.publisher.worker().start()
    assert {post.channel for post in desk.posts} == {"x", "mastodon", "bluesky", "email", "sms"}
assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
assert os.listdir(tempfile.gettempdir()) == []
assert set(done) <= {"socket.gethostname"}, done
"""


def test_no_library_is_needed_no_socket_opened_and_nothing_left(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", _ALONE], check=False, env={"TMPDIR": str(tmp_path)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- read


def test_posts_are_in_order_and_shown_without_an_address() -> None:
    with recording_publisher(clock=FakeClock()) as desk:
        assert repr(desk) == "Recording of x, mastodon, bluesky, email, sms:\n  nothing was published"
        opened = _publish(desk.publisher, accident(), "1")
        assert [post.channel for post in desk.posts] == list(NETWORKS)
        _publish(desk.publisher, opened.end("Fin d'intervention"), "2")
        _publish(desk.publisher, opened.end("Fin d'intervention"), "2")
    first, end = desk.on("x")
    assert (first.id, first.parent, end.parent, end.stage) == ("x-1", None, "x-1", "end")
    assert (first.network, first.language, first.category, first.exercise) == ("x", "fr", "traffic_accident", False)
    assert opened.on("x").ref is not None
    assert (opened.on("x").ref.id, opened.on("x").url) == (first.id, "https://x.invalid/x-1")  # type: ignore[union-attr]  # seen above
    mail, last = desk.on("email")
    assert last.parent == mail.id
    assert mail.recipients == ("redaction@journal.example", "standard@mairie.example")
    assert '<x post x-1: opening, fr "🚨 [#Accident – EN COURS]' in repr(desk)
    assert ' to 2 "[Accident – EN COURS] Montpellier' in repr(desk)
    assert "@" not in repr(desk)
    assert "@" not in str(mail)
    assert str(mail).splitlines()[1].startswith("│ [Accident – EN COURS] Montpellier, avenue de Toulouse – ")
    assert str(end).splitlines() == [
        "┌─ x · end · fr · x-2",
        "│ ↳ x-1",
        *(f"│ {line}" for line in end.text.splitlines()),
        "└─",
    ]


def test_a_deletion_is_recorded_as_one() -> None:
    keys = dict.fromkeys(("handle", "consumer_key", "consumer_secret", "access_token", "access_token_secret"), "k")
    with recording_publisher([configure_channel("veille", "x", keys, on_cancellation="delete")]) as desk:
        opened = _publish(desk.publisher, accident(), "1")
        desk.fail_next("veille", Unconfirmed("Coupé."), published=True)
        assert _publish(desk.publisher, opened.cancel("Fausse alerte"), "2").on("veille").outcome is Outcome.UNCONFIRMED
        desk.deliver(after=RETRY_DELAY)
        assert desk.publisher.operations.publication("2").on("veille").outcome is Outcome.DELETED  # type: ignore[union-attr]  # published above
    first, gone = desk.on("veille")
    assert (gone.operation, gone.id, gone.text) == (Operation.DELETE, first.id, first.text)
    assert str(gone).startswith("┌─ veille · opening (delete) · fr · veille-1\n")
    assert opened.on("veille").ref.account == "veille"  # type: ignore[union-attr]  # it was posted


# --- failing


@pytest.mark.parametrize(
    ("error", "published", "outcome", "posts"),
    [
        (Refused("Doublon.", code="403"), False, Outcome.REFUSED, (0, 0)),
        (Blocked("Jeton révoqué.", remedy="Reconnectez-vous."), False, Outcome.WAITING, (0, 0)),
        (Unavailable("En panne."), False, Outcome.WAITING, (0, 1)),
        (Unconfirmed("Pas de réponse."), False, Outcome.UNCONFIRMED, (0, 1)),
        (Unconfirmed("Pas de réponse."), True, Outcome.UNCONFIRMED, (1, 1)),
    ],
)
@pytest.mark.parametrize("channel", ["x", "bluesky"])  # one is asked what it has, the other knows its keys
def test_a_failure_is_the_networks_own(
    channel: str, error: ChannelError, *, published: bool, outcome: Outcome, posts: tuple[int, int]
) -> None:
    with recording_publisher([channel, "mastodon"], clock=FakeClock()) as desk:
        desk.fail_next(channel, error, published=published)
        receipt = _publish(desk.publisher, accident(), "1").on(channel)
        assert (receipt.outcome, receipt.reason, receipt.code) == (outcome, error.reason, error.code)
        assert len(desk.on(channel)) == posts[0]
        desk.deliver(after=RETRY_DELAY)
        assert len(desk.on(channel)) == posts[1]
        assert len(desk.on("mastodon")) == 1


def test_people_fail_one_by_one_or_together() -> None:
    with recording_publisher(["sms"]) as desk:
        desk.fail_next("sms", Refused("Numéro inconnu.", code="550"), recipient="+33639980001")
        desk.fail_next("sms", Unconfirmed("Coupé."), recipient="+33639980002", published=True)
        receipt = _publish(desk.publisher, accident(), "1").on("sms")
        assert receipt.recipients == {Outcome.REFUSED: 1, Outcome.HELD: 1}
        assert desk.posts[0].recipients == ("+33639980002",)
        desk.fail_next("sms", Unavailable("En panne."), times=2)
        desk.fail_next("sms", Unconfirmed("Coupé."), published=True)
        said = _publish(desk.publisher, accident(lifecycle=Lifecycle(stage="opening", incident="2")), "2")
        assert (said.on("sms").outcome, len(desk.posts)) == (Outcome.WAITING, 1)
        desk.deliver(after=RETRY_DELAY)
        desk.deliver(after=RETRY_DELAY)
        assert sorted(desk.posts[1].recipients) == ["+33639980001", "+33639980002"]


@pytest.mark.parametrize(
    ("channel", "error", "how", "said"),
    [
        ("x", Refused("Non."), {"published": True}, "only after an Unconfirmed"),
        ("xx", Refused("Non."), {}, "no channel 'xx' here. Did you mean 'x'?"),
    ],
)
def test_no_network_fails_like_that(channel: str, error: ChannelError, how: dict[str, Any], said: str) -> None:
    with recording_publisher() as desk, pytest.raises((KeyError, ValueError), match=said.replace("?", r"\?")):
        desk.fail_next(channel, error, **how)


def test_a_failure_that_never_happened_is_reported() -> None:
    with (
        pytest.raises(AssertionError, match="nothing more was published: 2 on 'x'"),
        recording_publisher() as desk,
    ):
        desk.fail_next("x", Refused("Non."), times=2)
    with pytest.raises(RuntimeError), recording_publisher() as desk:  # noqa: PT012 - its own error comes first
        desk.fail_next("x", Refused("Non."))
        raise RuntimeError


# --- how the code under test gets it


def _an_application() -> None:
    with policenotify.open_publisher("/nowhere/policenotify.toml") as publisher:
        _publish(publisher, accident(), "1", wait=timedelta(0))


def test_an_application_that_opens_and_closes_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording_publisher() as desk:
        monkeypatch.setattr(policenotify, "open_publisher", desk.open_publisher)
        _an_application()
        assert desk.posts == ()
        desk.deliver()
        assert len(desk.posts) == len(NETWORKS)


def test_an_application_with_a_database_of_its_own(tmp_path: Path) -> None:
    database = tmp_path / "app.db"
    engine = create_engine(f"sqlite:///{database}")
    with recording_publisher(["x"], journal=str(database)) as desk:
        for end in ("rollback", "commit"):
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                _publish(desk.publisher, accident(), "1", connection=connection)
                getattr(connection, end)()
            desk.deliver()
            assert len(desk.posts) == (end == "commit")
    engine.dispose()
    assert database.exists()


# --- whose channels


def test_any_channels() -> None:
    intranet = Capabilities(budget=Budget(250), title=True, recipients=True)
    with recording_publisher({"intranet": intranet, "radio": Capabilities(budget=Budget(250))}) as desk:
        _publish(desk.publisher, accident(), "1", to=["radio"])
        _publish(desk.publisher, accident(lifecycle=Lifecycle(stage="opening", incident="2")), "2", to=["intranet"])
    assert [post.channel for post in desk.posts] == ["radio", "intranet"]
    assert all(len(post.text) <= 250 for post in desk.posts)
    assert desk.on("intranet")[0].title
    with recording_publisher("mastodon") as desk:
        assert list(desk.publisher.installation.channel_configs) == ["mastodon"]
    with pytest.raises(UnknownNetwork, match="mastodon"), recording_publisher(["mastodont"]):
        pass
    with (
        pytest.raises(SettingsError, match="The capabilities of 'apprise' are unknown"),
        recording_publisher(["apprise"]),
    ):
        pass


_SETTINGS: Final = """
schema_version = 1
sender = "Police municipale"
journal = { env = "NOT_SET" }

[channels.x]
network = "x"
languages = ["fr", "en"]
tags = ["public"]
rate = "1 per day"
limit = 1000
handle = { env = "NOT_SET" }
consumer_key = { file = "not there" }
consumer_secret = { file = "not there" }
access_token = { file = "not there" }
access_token_secret = { file = "not there" }

[channels.toots]
network = "mastodon"
server = "https://social.example"
handle = "police34"
token = { file = "not there" }

[channels.numeros]
network = "sms"
tags = ["public"]
sender = "POLICE34"
segments = 1
recipients = { file = "not there" }
url = { file = "not there" }

[channels.presse]
network = "email"
recipients = ["secret@presse.example"]
url = "mailtos://user:password@police.example"

[[routes]]
at_least = "Moderate"
to = ["public", "presse"]

[[routes]]
to = ["toots"]

[categories.traffic_accident.hashtags]
fr = ["Collision"]
"""


def _written(folder: Path, change: Callable[[str], str] = str) -> Path:
    place = folder / "policenotify.toml"
    place.write_text(change(_SETTINGS), encoding="utf-8")
    return place


def test_an_installation_without_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    english = Translation(language="en", headline="Accident", description="Traffic.", instruction="Avoid the area.")
    with recording_publisher(settings=_written(tmp_path)) as desk:
        _publish(desk.publisher, accident(translations=(english,)), "1")
        _publish(desk.publisher, accident(lifecycle=Lifecycle(stage="opening", incident="2"), severity="Minor"), "2")
    assert [(post.channel, post.language) for post in desk.posts] == [
        ("x", "fr"), ("toots", "fr"), ("numeros", "fr"), ("presse", "fr"), ("x", "en"), ("toots", "fr"),
    ]  # fmt: skip
    assert "#Collision" in desk.on("x")[0].text
    can = {name: channel.capabilities for name, channel in desk.publisher.installation.channel_configs.items()}
    assert (can["x"].budget.limit, can["numeros"].budget.limit, can["toots"].edits) == (1000, 160, True)
    assert desk.publisher.installation.sender == "Police municipale"
    toots = desk.publisher.installation.channel_configs["toots"].open(FakeClock(), InMemoryStateStore())
    assert toots.whoami().name == "toots"
    assert "secret@presse.example" not in desk.on("presse")[0].recipients
    assert sorted(tmp_path.iterdir()) == [tmp_path / "policenotify.toml"]

    later = _written(tmp_path, lambda text: text.replace("limit = 1000", 'timeout = { env = "NOT_SET" }'))
    with recording_publisher(settings=later) as desk:
        assert desk.publisher.installation.channel_configs["x"].capabilities == default_capabilities(
            network("x").load()
        )
    monkeypatch.setattr("policenotify.networks.find_spec", lambda _name: None)
    with recording_publisher(settings=_written(tmp_path)) as desk:  # without its library
        assert desk.publisher.installation.channel_configs["x"].capabilities == default_capabilities(
            network("x").load()
        )


def test_the_law_of_the_settings_is_that_of_the_checks(tmp_path: Path) -> None:
    none = _written(tmp_path, lambda text: text.replace("[channels.x]", "law = []\n[channels.x]", 1))
    with recording_publisher(settings=none) as desk:
        assert tuple(desk.publisher.installation.checks) == checks_of(())


def test_people_of_an_audience_are_not_read_either(tmp_path: Path) -> None:
    press = '[channels.presse]\nnetwork = "email"\n'
    named = _written(
        tmp_path,
        lambda text: (
            text.replace(f'{press}recipients = ["secret@presse.example"]', f'{press}audiences = ["presse"]')
            + '[audiences.presse]\naddresses = ["secret@presse.example"]\n'
        ),
    )
    with recording_publisher(settings=named) as desk:
        _publish(desk.publisher, accident(), "1")
    assert desk.on("presse")[0].recipients == RECIPIENTS[""]


def test_wrong_settings_are_reported(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match="segmants"),
        recording_publisher(
            settings=_written(tmp_path, lambda text: text.replace("segments", "segmants").replace("url = {", "#"))
        ),
    ):
        pass
    with (
        pytest.raises(ValueError, match="channels, sender: the settings"),
        recording_publisher(settings="x", sender="a"),
    ):
        pass


def test_a_link_that_only_a_network_makes_is_judged_in_its_post(tmp_path: Path) -> None:
    """An SMS has plain letters for full-width ones, so that the text of the message has no link, and the post one."""
    settings = tmp_path / "desk.toml"
    settings.write_text(
        'schema_version = 1\nsender = "Police nationale"\nzone = "Europe/Paris"\nlinks = [".gouv.fr"]\n'
        '[channels.sms]\nnetwork = "sms"\nrecipients = ["+33612345678"]\nsender = "POLICE34"\n'
        'url = "octopush://{sender}:login@police.example/KEY/{recipient}"\n',
        encoding="utf-8",
    )
    tip = {"category": "scam_cyber", "headline": "Voir \uff45\uff56\uff49\uff4c.com", "instruction": "Raccrochez."}
    with recording_publisher(settings=settings) as desk:
        preview = desk.publisher.preview(Message.model_validate(tip))
        assert "evil.com" in preview.posts[0].standalone.text
        assert ("PN116", "sms") in {(finding.code, finding.field) for finding in preview.findings if finding.blocks}
