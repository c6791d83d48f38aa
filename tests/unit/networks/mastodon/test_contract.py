"""Mastodon keeps the contract: on a server that it knows, on one that it does not know yet, on GoToSocial and snac."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import ClassVar, Literal

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.mastodon.channel import Mastodon
from policenotify.networks.mastodon.instance import Instance
from policenotify.testing import Answer, ChannelContract, FakeMastodonServer, Fault, HttpWire, VisiblePost
from policenotify.testing.servers._mastodon_rules import RULES, instance
from policenotify.testing.servers.http import Reply


class MastodonWire(HttpWire):
    """What readers of Mastodon see; its limits are told by the time at which they end, and in no other way."""

    stand: FakeMastodonServer
    refusal: ClassVar[Answer] = Answer.json({"error": "Validation failed: Tags are forbidden"}, 422)
    denial: ClassVar[Answer] = Answer.json({"error": "The access token is invalid"}, 401)

    def __init__(self, software: Literal["mastodon", "gotosocial", "snac"] = "mastodon", *, known: bool = True) -> None:
        super().__init__(FakeMastodonServer(software=software, now=lambda: self.clock.now()))  # noqa: PLW0108 - the clock is made there
        self.routes = {
            "post": ("POST", "/api/v1/statuses"),
            "find": ("GET", "/api/v1/accounts/*/statuses"),
            "edit": ("PUT", "/api/v1/statuses/*"),
            "delete": ("DELETE", "/api/v1/statuses/*"),
        }
        if known:
            rules = RULES[software]
            said = Instance.of(instance(rules, newer=rules.newer), at=self.clock.now())
            self.keep.compare_and_swap("instance", said.model_dump_json(), version=None)

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.stand.secrets

    @property
    def shown(self) -> list[VisiblePost]:
        return [
            VisiblePost(
                texts=(post.text,),
                id=post.id,
                under=(post.parent,) if post.parent else (),
                pictures=tuple((image.alt, image.data) for image in post.images),
            )
            for post in self.stand.posts
        ]

    def _reply(self, trouble: Fault) -> Reply:
        if trouble is Fault.LATER:
            at = (self.clock.now() + timedelta(seconds=90)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            return Answer.json({"error": "Too many requests"}, 429, headers={"X-RateLimit-Reset": at})
        return super()._reply(trouble)


class OnMastodon:
    def make_wire(self) -> MastodonWire:
        return MastodonWire()

    def open(self, wire: MastodonWire) -> Channel:
        return Mastodon(
            server=wire.url,
            handle=wire.stand.handle,
            token=SecretStr(wire.stand.token),
            timeout=0.6,
            clock=wire.clock,
            store=wire.keep,
        )


class TestOnMastodon(OnMastodon, ChannelContract):
    pass


class TestOnAServerNotKnownYet(OnMastodon, ChannelContract):
    def make_wire(self) -> MastodonWire:
        return MastodonWire(known=False)


class TestOnGoToSocial(OnMastodon, ChannelContract):
    def make_wire(self) -> MastodonWire:
        return MastodonWire("gotosocial")


class TestOnSnac(OnMastodon, ChannelContract):
    def make_wire(self) -> MastodonWire:
        return MastodonWire("snac")


def test_each_server_is_taken_for_what_it_is() -> None:
    claims = {}
    for software in ("mastodon", "gotosocial", "snac"):
        wire = MastodonWire(software)
        can = OnMastodon().open(wire).capabilities
        claims[software] = (can.idempotency_window > timedelta(minutes=30), can.edits, can.deletes, can.images)
    assert claims == {
        "mastodon": (True, True, True, 4),
        "gotosocial": (False, False, True, 6),
        "snac": (False, False, False, 4),
    }
