"""What an answer of Mastodon other than a success means for a post."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

from policenotify import transport
from policenotify.errors import Blocked, Unconfirmed
from policenotify.networks._rules import AnswerRule
from policenotify.translation import AnyText, Text

WHERE: Final = "Mastodon"
without_side_effects: Callable[[AnyText], AbstractContextManager[None]] = partial(transport.without_side_effects, WHERE)

RENEW: Final = Text(
    "Make a new token on the server's website (Settings, Development), put it into the channel's "
    "settings, then: policenotify doctor"
)
RULES: Final = (
    AnswerRule(Blocked, Text("Mastodon does not accept our token{words}"), RENEW, {401}),
    AnswerRule(
        Blocked,
        Text("Mastodon does not let this account or token do it{words}"),
        Text(
            "Log in on the server's website to see whether the account may still post, and check that the "
            "token has the scopes read:accounts, read:statuses, write:statuses and write:media. Then: "
            "policenotify doctor"
        ),
        {403},
        own=True,
    ),
    AnswerRule(Unconfirmed, Text("Mastodon does not know what we asked for{words}"), statuses={404, 410}),
)
