"""The five bundled networks as channels that are never opened, for tests of wording."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from policenotify.channel import ChannelConfig
from policenotify.model.history import Outcome, PostedPart
from policenotify.networks.registry import configure_channel
from tests.support.audiences import listed

_SECRET = {"consumer_key": "a", "consumer_secret": "b", "access_token": "c", "access_token_secret": "d"}
_ADDRESS = "mailtos://alerte:s3cret@police34.example?name=Police"
NETWORKS: Final[dict[str, dict[str, Any]]] = {
    "x": {"handle": "police34", **_SECRET},
    "mastodon": {"server": "https://social.example", "handle": "police34", "token": "s3cret"},
    "bluesky": {"handle": "police34.example", "password": "s3cret"},
    "sms": {"url": "octopush://{sender}:login@police.example/KEY/{recipient}", "sender": "POLICE34"},
    "email": {"url": _ADDRESS},
}


@cache
def channel_on(network: str) -> ChannelConfig:
    """Return a channel on a shipped network."""
    people = listed(network, tuple) if network in {"sms", "email"} else ()
    return configure_channel(network, network, NETWORKS[network], audiences=people)  # never opened


def posted_everywhere(*languages: str) -> tuple[PostedPart, ...]:
    """Return the posts of a publication that is out on every network, in French and in these languages."""
    return tuple(
        PostedPart(channel=network, account=channel_on(network).account, language=language, outcome=Outcome.POSTED)
        for network in NETWORKS
        for language in ("fr", "en", *languages)
    )
