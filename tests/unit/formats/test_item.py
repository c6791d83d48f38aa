"""The document of a post in a feed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import Post
from policenotify.errors import Refused, UnsupportedVersion
from policenotify.formats.item import Item
from policenotify.model.cap import Precision
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.testing import strategies
from tests.support.feed_items import NOW, digest, make_item

POST = Post(
    key=digest("post"),
    account="feed",
    stage=Stage.STANDALONE,
    category="fire",
    language="fr",
    text="Feu",
    created_at=NOW,
)


def test_a_post_without_a_message_has_no_item() -> None:
    with pytest.raises(Refused, match="no message"):
        Item.of(POST, (), account="feed")


def test_a_standalone_message_is_a_thread_of_its_own() -> None:
    item = Item.of(POST.model_copy(update={"message": Message(category="fire", headline="Feu")}), (), account="feed")
    assert (item.thread, item.answers) == (POST.key[:16], None)


def test_an_item_of_a_newer_release_is_refused_by_its_version() -> None:
    document = json.loads(make_item(Message(category="fire", headline="Feu")).model_dump_json())
    with pytest.raises(UnsupportedVersion):
        Item.read(json.dumps(document | {"schema_version": 2, "more": 1}))


@given(strategies.messages(), st.sampled_from(Precision))
def test_an_item_is_read_as_it_was_written(message: Message, precision: Precision) -> None:
    location = message.location and message.location.blur(precision)
    item = make_item(message.model_copy(update={"location": location}))
    assert Item.read(item.model_dump_json()) == item
