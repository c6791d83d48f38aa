"""One publication is taken down: its posts are deleted where the network can, and nothing more of it is sent."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from io import BytesIO
from typing import Any

import PIL.Image
import pytest
from sqlalchemy import update

from policenotify.channel import Operation
from policenotify.errors import NotAllowed
from policenotify.findings import Level
from policenotify.journal.database import schema
from policenotify.model.history import Outcome
from policenotify.model.message import Image, Message
from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher
from policenotify.render.locales import PROFILES
from tests.support.five_networks import Five
from tests.support.installation import Desk, accident
from tests.support.patience import PATIENCE

WHY = "La personne est retrouvée."


def _jpeg() -> bytes:
    out = BytesIO()
    PIL.Image.new("RGB", (64, 64), "red").save(out, "JPEG")
    return out.getvalue()


FACE = _jpeg()


@pytest.fixture
def publisher(desk: Desk) -> Publisher:
    return desk.publisher()


def outcomes(publisher: Publisher, name: str) -> Counter[tuple[str, Operation, Outcome]]:
    found = publisher.operations.publication(name)
    assert found is not None
    return Counter((receipt.channel, receipt.operation, receipt.outcome) for receipt in found)


def test_posts_are_deleted_where_the_network_can(desk: Desk, publisher: Publisher) -> None:
    publisher.publish(accident(), key="k", actor="claire", wait=PATIENCE)
    assert len(desk.bluesky.posts) == 1
    done = publisher.withdraw("k", actor="claire", reason=WHY, wait=PATIENCE)
    assert not desk.bluesky.posts
    assert not done.ok  # people have the mail
    assert [(receipt.channel, receipt.ok) for receipt in done if receipt.remains] == [("presse", False)]
    assert outcomes(publisher, "k") == {
        ("bluesky", Operation.POST, Outcome.DELETED): 1,
        ("bluesky", Operation.DELETE, Outcome.DELETED): 1,
        ("presse", Operation.POST, Outcome.POSTED): 1,
    }
    assert publisher.withdraw(done.id, actor="claire", reason=WHY, wait=PATIENCE).receipts == done.receipts
    assert publisher.journal.audit.verify() == 0
    publisher.journal.audit.seal()
    assert publisher.journal.audit.verify() == 1


def test_what_waits_is_not_sent(desk: Desk, publisher: Publisher) -> None:
    publisher.publish(accident(), key="k", actor="claire", wait=0)
    publisher.withdraw("k", actor="claire", reason=WHY, wait=PATIENCE)
    assert not desk.bluesky.posts
    assert outcomes(publisher, "k") == {
        ("bluesky", Operation.POST, Outcome.SUPERSEDED): 1,
        ("presse", Operation.POST, Outcome.SUPERSEDED): 1,
    }
    assert publisher.journal.audit.verify() == 0


def test_a_post_that_was_held_is_deleted_once_a_person_has_seen_it(desk: Desk, publisher: Publisher) -> None:
    publisher.publish(accident(), key="k", actor="claire", wait=PATIENCE)
    delivery = schema.delivery
    held = {"state": Outcome.HELD, "in_doubt": True, "ref": None, "ref_mac": "", "settled_at": None}
    with publisher.journal.write() as connection:
        connection.execute(update(delivery).where(delivery.c.channel == "bluesky").values(held))
    withdrawn = publisher.withdraw("k", actor="claire", reason=WHY, wait=PATIENCE)
    assert len(desk.bluesky.posts) == 1
    publisher.operations.resolve(withdrawn.on("bluesky").delivery, actor="claire", posted=True)
    publisher.drain(timedelta(seconds=PATIENCE))
    assert not desk.bluesky.posts
    assert outcomes(publisher, "k") == {
        ("bluesky", Operation.POST, Outcome.DELETED): 1,
        ("bluesky", Operation.DELETE, Outcome.DELETED): 1,
        ("presse", Operation.POST, Outcome.POSTED): 1,
    }
    assert publisher.journal.audit.verify() == 0


def test_it_takes_a_reason_and_the_right(desk: Desk) -> None:
    asked: list[tuple[str, str]] = []

    def may(actor: str, action: str, _message: Message | None) -> bool:
        asked.append((actor, action))
        return action != "withdraw"

    publisher = desk.publisher(may=may)
    publisher.publish(accident(), key="k", actor="claire", wait=PATIENCE)
    with pytest.raises(ValueError, match="reason: write a reason"):
        publisher.withdraw("k", actor="claire", reason="")
    with pytest.raises(NotAllowed):
        publisher.withdraw("k", actor="claire", reason=WHY)
    with pytest.raises(KeyError):
        publisher.withdraw("nothing", actor="claire", reason=WHY)
    assert asked[-1] == ("claire", "withdraw")
    assert len(desk.bluesky.posts) == 1


# --- networks that edit in place


def on_two(five: Five, **how: Any) -> Publisher:
    """A publisher on two networks that edit and delete, and by mail, which does neither."""
    channels = [five.channel(name, on_correction="edit") for name in ("mastodon", "bluesky")]
    return five.publisher(channels=[*channels, five.channel("email")], **how)


def sought(**changes: Any) -> Message:
    return Message(
        **{
            "category": "missing_person",
            "headline": "Disparition inquiétante",
            "description": "Disparue depuis 18h30.",
            "instruction": "Appelez le 17.",
            "location": {"commune": "34172"},
            "lifecycle": {"stage": "opening", "incident": "D1"},
            "images": [Image(data=FACE, alt="Une femme de 30 ans, manteau rouge")],
            "basis": [{"who": "prosecutor"}, {"who": "family"}],
            **changes,
        }
    )


def found(opening: Publication, **changes: Any) -> Message:
    return opening.end("La personne est retrouvée", description="Merci à tous.", **changes)


@pytest.mark.parametrize(("taken", "left"), [("o", 1), ("x", 1), ("xo", 0), ("ox", 0)])
def test_a_post_that_a_correction_edited_is_deleted(five: Five, taken: str, left: int) -> None:
    """Mastodon edits the opening in place; on Bluesky the correction is a reply."""
    publisher = on_two(five)
    opening = publisher.publish(sought(), key="o", actor="c", wait=PATIENCE, urgent=WHY)
    right = opening.correct("Disparition inquiétante", description="Disparue depuis 17h30.")
    publisher.publish(right, key="x", actor="c", wait=PATIENCE, urgent=WHY)
    assert outcomes(publisher, "x")["mastodon", Operation.EDIT, Outcome.POSTED] == 1
    assert (len(five.mastodon.posts), len(five.bluesky.posts)) == (1, 2)
    for publication in taken:
        publisher.withdraw(publication, actor="c", reason=WHY, wait=PATIENCE)
    assert (len(five.mastodon.posts), len(five.bluesky.posts)) == (0, left)
    assert outcomes(publisher, "o")["mastodon", Operation.POST, Outcome.DELETED] == 1
    assert publisher.journal.audit.verify() == 0


# --- the end of an appeal


@pytest.mark.parametrize("corrected", [False, True])
def test_the_end_of_an_appeal_deletes_the_face(five: Five, corrected: bool) -> None:  # noqa: FBT001 - pytest names it
    publisher = on_two(five)
    opening = publisher.publish(sought(), key="o", actor="c", wait=PATIENCE, urgent=WHY)
    assert all(post.images for posts in (five.mastodon.posts, five.bluesky.posts) for post in posts)
    if corrected:
        publisher.publish(
            opening.correct("Disparition", description="Depuis 17h30."), key="x", actor="c", wait=PATIENCE, urgent=WHY
        )
    preview = publisher.preview(found(opening))
    assert {(target.channel, target.target) for target in preview.deletions} == {
        ("mastodon", opening.id),
        ("bluesky", opening.id),
    }
    [left] = [finding for finding in preview.findings if finding.code == "PN602"]
    assert "email" in str(left.reason)
    assert (left.level, "mastodon" in str(left.reason)) == (Level.ADVISE, False)
    ended = publisher.publish(found(opening), key="e", actor="c", wait=PATIENCE)
    for posts in (five.mastodon.posts, five.bluesky.posts):
        assert not any(post.images for post in posts)
        assert "retrouvée" in posts[-1].text
    assert (len(five.mastodon.posts), len(five.bluesky.posts)) == (1, 1 + corrected)
    assert outcomes(publisher, "e")["mastodon", Operation.DELETE, Outcome.DELETED] == 1
    assert publisher.operations.publication("o").on("bluesky").outcome is Outcome.DELETED  # type: ignore[union-attr]
    assert "PN602" in [finding.code for finding in ended.findings]
    assert publisher.journal.audit.verify() == 0


@pytest.mark.parametrize("which", ["no picture", "setting", "category"])
def test_else_the_end_deletes_nothing(five: Five, which: str) -> None:
    profile = PROFILES["missing_person"]
    off = {**PROFILES, "missing_person": profile.model_copy(update={"deletes_images": False})}
    publisher = on_two(five, profiles=off if which == "setting" else PROFILES)
    others: dict[str, dict[str, Any]] = {"no picture": {"images": []}, "category": {"category": "fire"}}
    changes = others.get(which, {})
    opening = publisher.publish(sought(**changes), key="o", actor="c", wait=PATIENCE, urgent=WHY)
    assert publisher.preview(found(opening)).deletions == ()
    ended = publisher.publish(found(opening), key="e", actor="c", wait=PATIENCE)
    assert (len(five.mastodon.posts), len(five.bluesky.posts)) == (2, 2)
    assert "PN602" not in [finding.code for finding in ended.findings]


def test_a_withdrawal_covers_a_server_that_is_not_known_yet(five: Five) -> None:
    publisher, delivery = on_two(five), schema.delivery
    publisher.publish(sought(), key="o", actor="c", wait=0, urgent=WHY)
    held = {"state": Outcome.HELD, "in_doubt": True}
    with publisher.journal.write() as connection:
        connection.execute(update(delivery).where(delivery.c.channel == "mastodon").values(held))
    withdrawn = publisher.withdraw("o", actor="c", reason=WHY, wait=0)
    [event] = publisher.journal.audit.events("taken_down", withdrawn.at)
    assert event["deletes"] == ["bluesky", "mastodon"]
    publisher.operations.resolve(withdrawn.on("mastodon").delivery, actor="c", posted=True)
    assert outcomes(publisher, "o")["mastodon", Operation.DELETE, Outcome.WAITING] == 1
