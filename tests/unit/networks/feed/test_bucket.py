"""A feed in a bucket: what its contract does not show."""

from __future__ import annotations

from contextlib import closing

import pytest

from policenotify.errors import MissingExtra
from policenotify.formats.feed import GONE, KEPT
from policenotify.model.lifecycle import Stage
from policenotify.networks.feed.channel import PublicFeed
from policenotify.networks.feed.s3 import _attributes
from policenotify.testing.servers.http import Answer, RecordedRequest
from tests.unit.networks.feed.test_contract import BucketFixture, TestFeedInABucket


def _put(request: RecordedRequest) -> bool:
    return request.method == "PUT"


def test_objects_have_types_and_a_second_run_writes_nothing() -> None:
    case = TestFeedInABucket()
    with case.make_network() as network, closing(case.open(network)) as channel:
        assert isinstance(channel, PublicFeed)
        channel.send(case.request(channel, text="Une fois"))
        written = {request.path: request.headers for request in filter(_put, network.server.requests)}
        assert written["/alertes/feed.atom"]["Content-Type"] == "application/atom+xml"
        assert written["/alertes/feed.atom"]["Cache-Control"] == "public, max-age=30"
        assert written["/alertes/feed.atom.gz"]["Content-Encoding"] == "gzip"
        count = len(list(filter(_put, network.server.requests)))
        assert channel.rebuild() == ()
        assert len(list(filter(_put, network.server.requests))) == count


def test_an_alert_has_the_media_type_of_alerts() -> None:
    assert _attributes("cap/0123456789abcdef.xml")["Content-Type"] == "application/cap+xml"
    assert _attributes("datex.xml")["Content-Type"] == "application/xml"


def test_items_of_another_installation_are_drawn_although_nothing_locks() -> None:
    case = TestFeedInABucket()
    with case.make_network() as network, closing(case.open(network)) as one:
        assert isinstance(one, PublicFeed)
        first, second = case.request(one, text="Premier"), one._item(case.request(one, text="Second"))
        put = network.server._answer
        late = [second]

        def answer(request: RecordedRequest) -> Answer:
            # While the first one draws, the other installation has added an item, and is killed before it draws.
            if late and request.method == "PUT" and request.path == "/alertes/feed.atom":
                item = late.pop()
                network.server.objects[f"items/{item.key}.json"] = item.model_dump_json().encode()
            return put(request)

        network.server.on("PUT", "*", answer)
        one.send(first)
        assert [post.texts[1] for post in network.visible_posts] == ["Premier", "Second"]


def test_ended_threads_go_into_the_archive_of_the_bucket() -> None:
    case = TestFeedInABucket()
    with case.make_network() as network, closing(case.open(network)) as channel:
        assert isinstance(channel, PublicFeed)
        ref = channel.send(case.request(channel, text="Alerte"))
        channel.send(case.request(channel, ref, text="Fini", stage=Stage.END))
        network.clock.pass_by((KEPT + GONE).total_seconds() + 60)
        channel.rebuild()
        assert not [name for name in network.server.objects if name.startswith("items/")]
        assert channel.rebuild() == ()


def test_a_bucket_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policenotify.networks.feed.channel.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="s3"):
        TestFeedInABucket().open(BucketFixture())
