"""What an answer of Bluesky other than a success means for a post."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

from policenotify import transport
from policenotify.errors import Blocked
from policenotify.networks._rules import AnswerRule
from policenotify.translation import AnyText, Text

WHERE: Final = "Bluesky"
without_side_effects: Callable[[AnyText], AbstractContextManager[None]] = partial(transport.without_side_effects, WHERE)

_ASK = Text("Log in on the Bluesky website to see why, settle it with Bluesky, then: policenotify doctor")

# com.atproto.server.createSession, com.atproto.sync.getRepoStatus: why an account does not write
RULES: Final = (
    AnswerRule(
        Blocked,
        Text("Bluesky has taken this account down; nothing can be posted from it."),
        _ASK,
        phrases=("accounttakedown", "repotakendown"),
    ),
    AnswerRule(
        Blocked,
        Text("Bluesky has suspended this account; nothing can be posted from it."),
        _ASK,
        phrases=("accountsuspended", "reposuspended"),
    ),
    AnswerRule(
        Blocked,
        Text("Bluesky says that this account is deactivated; nothing can be posted from it."),
        _ASK,
        phrases=("accountdeactivated", "repodeactivated"),
    ),
)
