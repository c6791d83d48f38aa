"""Corrections and cancellations edit and delete posts where the network can and the settings allow it."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from policenotify.channel import (
    Account,
    Capabilities,
    Channel,
    ChannelConfig,
    Clock,
    Operation,
    Post,
    PostRef,
    Request,
    StateStore,
)
from policenotify.errors import Refused, Unavailable, Unconfirmed
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from policenotify.text import Budget
from tests.support.fake_network import Step, taken
from tests.support.installation import accident, soon
from tests.support.patience import LONG, until

ALL = Capabilities(budget=Budget(500), replies=True, edits=True, deletes=True, idempotency_window=timedelta(days=1))
MINOR, SEVERE = Severity.MINOR, Severity.SEVERE


@dataclass
class Board:
    """A network in memory whose posts can be edited and deleted. Calls fail as scripted."""

    capabilities: Capabilities = ALL
    account: str = "police34.example"
    posts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sends: deque[Step] = field(default_factory=deque)
    edits: deque[Step] = field(default_factory=deque)
    deletes: deque[Step] = field(default_factory=deque)
    prepares: deque[Step] = field(default_factory=deque)
    calls: list[str] = field(default_factory=list)

    def open(self, _clock: Clock, _keep: StateStore) -> Channel:
        return OnBoard(self)

    def configured(self, **how: Any) -> ChannelConfig:
        return ChannelConfig(
            name="board", network="board", account=self.account, capabilities=self.capabilities, open=self.open, **how
        )

    @property
    def texts(self) -> list[str]:
        return [text for text, *_ in self.posts.values()]


class OnBoard:
    def __init__(self, board: Board) -> None:
        self.board, self.capabilities, self.account = board, board.capabilities, board.account

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        body = {"text": post.text, "under": [ref.id for ref in reply_to]}
        made = Request(account=self.account, key=post.key, body=body)
        return taken(self.board.prepares, lambda: made)  # type: ignore[no-any-return]  # a script's step

    def send(self, request: Request) -> PostRef:
        self.board.calls.append("send")
        return taken(self.board.sends, self._put, request)  # type: ignore[no-any-return]  # the same

    def _put(self, request: Request, number: str = "") -> PostRef:
        made = number or next((key for key, post in self.board.posts.items() if request.key in post), "")
        made = made or str(len(self.board.calls))
        self.board.posts[made] = (str(request.body["text"]), request.key, *map(str, _list(request.body["under"])))
        return PostRef(account=self.account, id=made)

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        self.board.calls.append("edit")
        return taken(self.board.edits, lambda: self._put(request, ref.id))  # type: ignore[no-any-return]  # the same

    def delete(self, ref: PostRef) -> None:
        self.board.calls.append("delete")
        taken(self.board.deletes, lambda: self.board.posts.pop(ref.id, None))

    def whoami(self) -> Account:
        return Account(id=self.account, name=self.account)

    def close(self) -> None:
        pass


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


class AheadClock(SystemClock):
    """The machine's clock, so and so much ahead."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


class Station:
    """One installation with one network."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.board, self.clock = folder, Board(), AheadClock()
        self.keys = Keys.create(secrets.token_bytes)
        self.opened: list[Publisher] = []
        self.said = 0
        self.wait: timedelta | None = None  # of each publish

    def publisher(self, **how: Any) -> Publisher:
        made = Publisher(
            Installation(
                journal=open_journal(str(self.folder / "journal.db"), keys=self.keys, clock=self.clock, create=True),
                channels=[self.board.configured(**how)],
                zone=PARIS,
                sender=SENDER,
                clock=self.clock,
                wait=LONG,
                backoff=soon,
            )
        )
        self.opened.append(made)
        return made

    def publish(self, publisher: Publisher, message: Message) -> Publication:
        self.said += 1
        return publisher.publish(message, key=str(self.said), actor="desk", wait=self.wait)

    def settled(self, publisher: Publisher, said: Publication) -> Publication:
        """The publication, once all that was in doubt is settled."""
        publisher.drain(timedelta(seconds=10))
        told = publisher.operations.publication(said.id)
        assert told is not None
        assert all(receipt.outcome.is_final for receipt in told), [str(receipt) for receipt in told]
        return told


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    made = Station(tmp_path)
    yield made
    for publisher in made.opened:
        publisher.close()


def _wrong(said: Publication, severity: Severity = MINOR) -> Message:
    return said.correct(
        "Le secteur est celui de la gare", severity=severity, description="Et non la Comédie.", instruction="Évitez-le."
    )


# --- corrections


def test_a_minor_correction_changes_the_post_where_its_readers_found_it(station: Station) -> None:
    publisher = station.publisher()
    opened = station.publish(publisher, accident())
    corrected = station.publish(publisher, _wrong(opened))

    [receipt] = corrected
    assert (receipt.operation, receipt.outcome, receipt.standalone) == (Operation.EDIT, Outcome.POSTED, False)
    assert receipt.ref == opened.on("board").ref
    [text] = station.board.texts
    assert "RECTIFICATIF" in text
    assert "gare" in text
    assert "Fait suite" not in text

    station.publish(publisher, opened.update("Une voie rouverte"))
    assert list(station.board.posts.values())[1][2:] == ("1",), "what follows hangs under the post, not under the edit"


def test_a_severe_correction_is_also_published_as_a_reply(station: Station) -> None:
    publisher = station.publisher()
    opened = station.publish(publisher, accident())
    corrected = station.publish(publisher, _wrong(opened, SEVERE))

    assert [(one.operation, one.outcome) for one in corrected] == [("post", "posted"), ("edit", "posted")]
    assert station.board.calls == ["send", "send", "edit"]
    edited, reply = station.board.posts.values()
    assert edited[0] == reply[0]
    assert reply[2:] == ("1",)


@pytest.mark.parametrize("capabilities", [ALL, replace(ALL, edits=False)], ids=["by choice", "without edits"])
def test_a_correction_replies(station: Station, capabilities: Capabilities) -> None:
    station.board.capabilities = capabilities
    publisher = station.publisher(**({"on_correction": "reply"} if capabilities.edits else {}))
    opened = station.publish(publisher, accident())
    [receipt] = station.publish(publisher, _wrong(opened))
    assert receipt.operation is Operation.POST
    assert len(station.board.posts) == 2


def test_an_unpublished_post_is_not_edited_but_published(station: Station) -> None:
    publisher = station.publisher()
    station.board.sends.append(Refused("No."))
    opened = station.publish(publisher, accident())
    [receipt] = station.publish(publisher, _wrong(opened))
    assert (receipt.operation, receipt.outcome) == (Operation.POST, Outcome.POSTED)


@pytest.mark.parametrize("fallback", [None, "standalone", "prepare"])
def test_an_impossible_edit_is_published_as_a_reply(station: Station, fallback: Any) -> None:
    publisher = station.publisher()
    opened = station.publish(publisher, accident())
    station.board.edits.extend([Refused("Too old.", fallback=fallback)] * 9)
    [receipt] = station.publish(publisher, _wrong(opened))
    assert (receipt.operation, receipt.outcome) == (Operation.POST, Outcome.POSTED)
    assert station.board.calls.count("edit") == (4 if fallback == "prepare" else 1)
    assert list(station.board.posts.values())[1][2:] == ("1",)


def test_an_edit_keeps_its_place_whatever_became_of_the_posts_above(station: Station) -> None:
    publisher = station.publisher()
    opened = station.publish(publisher, accident())
    updated = station.publish(publisher, opened.update("Toujours barrée"))
    station.board.prepares.append(Refused("All above is gone.", fallback="standalone"))
    [receipt] = station.publish(publisher, _wrong(updated))
    assert (receipt.operation, receipt.outcome, receipt.standalone) == (Operation.EDIT, Outcome.POSTED, False)
    assert len(station.board.posts) == 2


def test_an_edit_in_doubt_is_made_again_and_doubles_nothing(station: Station) -> None:
    publisher = station.publisher()
    opened = station.publish(publisher, accident())
    station.board.edits.extend([Unconfirmed("Cut."), Unavailable("Later.")])
    corrected = station.publish(publisher, _wrong(opened))
    corrected = station.settled(publisher, corrected)
    assert corrected.on("board").outcome is Outcome.POSTED
    assert station.board.calls == ["send", "edit", "edit", "edit"]
    assert len(station.board.posts) == 1


# --- cancellations


def test_posts_are_taken_back_the_newest_first(station: Station) -> None:
    publisher = station.publisher(on_cancellation="delete")
    opened = station.publish(publisher, accident())
    updated = station.publish(publisher, opened.update("Une voie rouverte"))
    foreseen = publisher.preview(opened.cancel("Fausse alerte"))
    assert [leg.target for leg in foreseen.deletions] == [updated.id, opened.id]
    assert not foreseen.posts

    cancelled = station.publish(publisher, opened.cancel("Fausse alerte"))
    assert not station.board.posts
    assert [(one.operation, one.outcome) for one in cancelled] == [("delete", "deleted")] * 2
    assert [one.ref for one in cancelled] == [updated.on("board").ref, opened.on("board").ref]
    assert cancelled.ok
    for earlier in (opened, updated):
        told = publisher.operations.publication(earlier.id)
        assert told is not None
        assert told.on("board").outcome is Outcome.DELETED
    assert publisher.journal.audit.seal() > 0


def test_where_a_post_may_be_out_unseen_it_is_deleted_and_the_cancellation_published(station: Station) -> None:
    publisher = station.publisher(on_cancellation="delete")
    station.wait = timedelta(0)
    opened = station.settled(publisher, station.publish(publisher, accident()))
    station.publish(publisher, opened.update("Une voie rouverte"))
    station.settled(publisher, station.publish(publisher, opened.cancel("Fausse alerte")))
    assert ["Fausse alerte" in text for text in station.board.texts] == [True]


def test_an_edit_in_doubt_keeps_no_end_back(station: Station) -> None:
    publisher = station.publisher()
    opened = station.publish(publisher, accident())
    station.wait = timedelta(0)
    station.board.edits.append(Unconfirmed("Cut."))
    edited = station.publish(publisher, _wrong(opened))
    until(lambda: publisher.drain(timedelta(0)) and _outcome(publisher, edited) is Outcome.UNCONFIRMED)
    ended = station.publish(publisher, opened.end("La circulation est rétablie"))
    assert station.settled(publisher, ended).on("board").outcome is Outcome.POSTED
    assert _outcome(publisher, edited) in {Outcome.POSTED, Outcome.HELD}


def _outcome(publisher: Publisher, said: Publication) -> Outcome:
    found = publisher.operations.publication(said.id)
    assert found is not None
    return found.on("board").outcome


def test_where_nothing_came_out_the_cancellation_is_published(station: Station) -> None:
    publisher = station.publisher(on_cancellation="delete")
    station.board.sends.append(Refused("No."))
    opened = station.publish(publisher, accident())
    [receipt] = station.publish(publisher, opened.cancel("Fausse alerte"))
    assert (receipt.operation, receipt.outcome) == (Operation.POST, Outcome.POSTED)


def test_a_deletion_in_doubt_is_repeated_and_a_refused_one_is_reported(station: Station) -> None:
    publisher = station.publisher(on_cancellation="delete")
    opened = station.publish(publisher, accident())
    station.board.deletes.extend([Unconfirmed("Cut."), Refused("Not yours.", remedy="Take it back by hand.")])
    cancelled = station.publish(publisher, opened.cancel("Fausse alerte"))
    cancelled = station.settled(publisher, cancelled)
    [receipt] = cancelled
    assert (receipt.outcome, str(receipt.remedy)) == (Outcome.REFUSED, "Take it back by hand.")
    told = publisher.operations.publication(opened.id)
    assert told is not None
    assert told.on("board").outcome is Outcome.POSTED
    assert station.board.calls == ["send", "delete", "delete"]


# --- what a channel has learned


class Learning(OnBoard):
    """A channel that knows the limit of its server from its keep."""

    discovers_capabilities = True

    def __init__(self, board: Board, keep: StateStore) -> None:
        super().__init__(board)
        kept = keep.load("limit")
        self.capabilities = replace(board.capabilities, budget=Budget(int(kept.value) if kept else 500))


def test_learned_capabilities_count_from_the_next_publication_on(station: Station) -> None:
    publisher = station.publisher(discovers_capabilities=True)
    how = publisher.installation.channel_configs["board"].model_copy(
        update={"open": lambda _clock, keep: Learning(station.board, keep)}
    )
    publisher.installation.channel_configs["board"] = how
    long = Message.model_validate(
        {
            "category": "scam_cyber",
            "headline": "Faux conseillers bancaires",
            "description": "Raccrochez tout de suite. " * 30,
        }
    )
    assert 400 < len(publisher.preview(long).posts[0].standalone.text) <= 500
    assert publisher.journal.channels.state_store("board").compare_and_swap("limit", "300", version=None)
    assert len(publisher.preview(long).posts[0].standalone.text) <= 300


def test_a_post_that_cannot_be_deleted_silences_no_channel(station: Station, caplog: pytest.LogCaptureFixture) -> None:
    publisher = station.publisher(discovers_capabilities=True)
    opens = iter([LookupError("s3cret")])

    def failing(_clock: Clock, _keep: StateStore) -> Channel:
        for error in opens:
            raise error
        return OnBoard(station.board)

    publisher.installation.channel_configs["board"] = publisher.installation.channel_configs["board"].model_copy(
        update={"open": failing}
    )
    said = station.publish(publisher, accident())
    assert said.on("board").outcome is Outcome.POSTED
    assert "Channel board: its default capabilities are used (LookupError)." in caplog.text
    assert "s3cret" not in caplog.text


def test_an_unverified_result_of_a_gateway_is_reported(station: Station) -> None:
    station.board.capabilities = replace(ALL, acceptance="unverified")
    publisher = station.publisher()
    said = station.publish(publisher, accident())
    assert str(said.on("board").note) == "Accepted by the gateway, not verified."
    station.board.sends.append(Refused("No."))
    assert str(station.publish(publisher, said.update("Une voie rouverte")).on("board").note) == ""
