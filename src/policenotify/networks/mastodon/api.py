"""Mastodon's API, through the library `Mastodon.py`.

The session is ours: the library by itself follows redirects (a post becomes a GET), and writes some addresses with a
slash at the end, which GoToSocial does not know. An answer is read from what came over the wire, since the library's
errors hold neither its headers nor, often, its status.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from policenotify import transport
from policenotify.channel import Clock
from policenotify.errors import Blocked, ChannelError, Unconfirmed
from policenotify.networks import load, require
from policenotify.networks._http import ANY_HTTP, AnswerRule, HttpAnswer, judge, open_session, parse_json
from policenotify.networks._redact import redact
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    import mastodon

    from policenotify.networks._requests import PostSession, RawAnswer

_CONNECT: Final = 5.0  # seconds for a connection: a server that does not even greet is not worth more
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


class Api:
    """One server, such as `https://social.example`, called with one token.

    *timeout* is in seconds, for each wait for the answer.
    """

    def __init__(self, server: str, token: SecretStr, timeout: float, clock: Clock) -> None:
        require("mastodon", "mastodon")
        self.clock = clock
        self._server = server
        self._token = token
        self._timeout = (min(timeout, _CONNECT), timeout)

    def ask(self, call: str, *args: object, **kwargs: object) -> HttpAnswer:
        """Make one call by *call*, a method of `mastodon.Mastodon` that makes one request.

        Raises:
            Unavailable: It never reached the server.
            Unconfirmed: No whole answer came.
        """
        with closing(self._session) as session:
            made = partial(getattr(self._library, call), *args, **kwargs)
            return self._read(session.ask(made, where=WHERE, wrapped=True))

    def error(self, answer: HttpAnswer, *, whole_channel: bool = True) -> ChannelError:
        """Return what an answer other than a success means for every call.

        With *whole_channel* a rate limit on this call holds for all posts.
        """
        now = self.clock.now()
        return judge(answer, (*RULES, *ANY_HTTP), now=now, where=WHERE, whole_channel=whole_channel)

    def close(self) -> None:
        """Let the library go. A later call loads it again."""
        for name in ("_library", "_session"):
            self.__dict__.pop(name, None)

    @cached_property
    def _session(self) -> PostSession:
        # No address of the API ends in a slash (docs.joinmastodon.org/methods).
        plain = self._server.startswith("http:")
        return open_session(self._timeout, plain=plain, rewrite=lambda url: url.rstrip("/"))

    @cached_property
    def _library(self) -> mastodon.Mastodon:
        library: mastodon.Mastodon = load("mastodon").Mastodon(
            api_base_url=self._server,
            session=self._session,
            ratelimit_method="throw",
            user_agent="policenotify",
            # With both the library asks no server for its version, and uses the upload that may take its time (v2).
            mastodon_version="4.5.0",
            version_check_mode="created",
        )
        # Only now: the constructor would read a file that is named like the token.
        library.access_token = self._token.get_secret_value()
        return library

    def _read(self, raw: RawAnswer) -> HttpAnswer:
        body = parse_json(raw.content)
        error = body.get("error") if isinstance(body, dict) else None
        return HttpAnswer(
            raw.status,
            raw.headers,
            body,
            from_network=isinstance(body, dict) and "error" in body,
            message=redact(error, [self._token.get_secret_value()]) if isinstance(error, str) else "",
        )
