"""A feed in a bucket: what its contract does not show."""

from __future__ import annotations

import importlib.util
from contextlib import closing
from typing import Any

import pytest

from policenotify.errors import MissingExtra
from policenotify.formats.feed import GONE, KEPT
from policenotify.model.lifecycle import Stage
from policenotify.networks.feed.channel import Feed
from policenotify.testing.servers.http import RecordedRequest
from tests.unit.networks.feed.test_contract import BucketFixture, TestFeedInABucket


def _put(request: RecordedRequest) -> bool:
    return request.method == "PUT"


def test_objects_have_types_and_a_second_run_writes_nothing() -> None:
    case = TestFeedInABucket()
    with case.make_network() as network, closing(case.open(network)) as channel:
        assert isinstance(channel, Feed)
        channel.send(case.request(channel, text="Une fois"))
        written = {request.path: request.headers for request in filter(_put, network.server.requests)}
        assert written["/alertes/feed.atom"]["Content-Type"] == "application/atom+xml"
        assert written["/alertes/feed.atom"]["Cache-Control"] == "public, max-age=30"
        assert written["/alertes/feed.atom.gz"]["Content-Encoding"] == "gzip"
        count = len(list(filter(_put, network.server.requests)))
        assert channel.rebuild() == ()
        assert len(list(filter(_put, network.server.requests))) == count


def test_items_of_another_installation_are_drawn_although_nothing_locks() -> None:
    case = TestFeedInABucket()
    with case.make_network() as network, closing(case.open(network)) as one, closing(case.open(network)) as other:
        first, second = case.request(one, text="Premier"), case.request(one, text="Second")
        put = network.server._answer
        late: list[Any] = [second]

        def answer(request: RecordedRequest) -> Any:
            # While the first one draws, the other installation has added an item, and is killed before it draws.
            if late and request.method == "PUT" and request.path == "/alertes/feed.atom":
                item = late.pop()
                other._folder._store.create(  # type: ignore[attr-defined]  # of a Feed
                    f"items/{item.key}.json",
                    other._item(item).model_dump_json().encode(),  # type: ignore[attr-defined]
                )
            return put(request)

        network.server.on("PUT", "*", answer)
        one.send(first)  # type: ignore[attr-defined]  # of a Feed
        assert [post.texts[1] for post in network.visible_posts] == ["Premier", "Second"]


def test_ended_threads_go_into_the_archive_of_the_bucket() -> None:
    case = TestFeedInABucket()
    with case.make_network() as network, closing(case.open(network)) as channel:
        assert isinstance(channel, Feed)
        ref = channel.send(case.request(channel, text="Alerte"))
        channel.send(case.request(channel, ref, text="Fini", stage=Stage.END))
        network.clock.pass_by((KEPT + GONE).total_seconds() + 60)
        channel.rebuild()
        assert not [name for name in network.server.objects if name.startswith("items/")]
        assert channel.rebuild() == ()


def test_a_bucket_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr("policenotify.networks.feed.channel.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="s3"):
        TestFeedInABucket().open(BucketFixture())
