"""Mastodon's API, through the library `Mastodon.py` but without its surprises.

The library follows redirects (a post becomes a GET), waits in the calling thread for as long as a limit lasts, reads a
token from a file that is named like it, and asks the server's version before an upload, without an end where that
fails. It also writes some addresses with a slash at the end, which GoToSocial and takahe do not know. None of it
happens here: the session is ours, and an answer is read from what came over the wire, not from the library's result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property, partial
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pydantic import SecretStr

from policenotify import transport
from policenotify.channel import Clock
from policenotify.errors import Blocked, ChannelError, MissingExtra, Unavailable, Unconfirmed
from policenotify.networks import import_lock
from policenotify.networks._bounds import ADDRESS, MAX_ANSWER, MAX_TIMELINE
from policenotify.networks._http import HttpAnswer, judge_common, parse_json, redact
from policenotify.transport import error_for_exception

if TYPE_CHECKING:
    import mastodon

    from policenotify.networks._requests import PostSession

WHERE = "Mastodon"
without_side_effects: Callable[[str], AbstractContextManager[None]] = partial(transport.without_side_effects, WHERE)

RENEW = (
    "Make a new token on the server's website (Settings, Development), put it into the channel's settings, "
    "then: policenotify doctor"
)
_CHECK_ACCOUNT = (
    "Log in on the server's website to see whether the account may still post, and check that the token has the "
    "scopes read:accounts, read:statuses, write:statuses and write:media. Then: policenotify doctor"
)
_CONNECT = 5.0  # seconds for a connection: a server that does not even greet is not worth more
_MAIL = re.compile(ADDRESS)
_TIMELINES = frozenset({"account_statuses"})  # the calls with long answers
_PLAIN_WORDS = re.compile(rb"[ !-;=?-~]{1,200}")  # a line of ASCII, and not a page
_TOKEN = re.compile(r"\btoken\b", re.IGNORECASE)


class Api:
    """One server, such as `https://social.example`, called with one token.

    *timeout* is in seconds, for a whole answer.
    """

    def __init__(self, server: str, token: SecretStr, timeout: float, clock: Clock) -> None:
        if find_spec("mastodon") is None:
            raise MissingExtra("The network 'mastodon'", "mastodon")
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
        library, session, failure = self._library, self._session, None
        session.answer = None
        session.adapter.max_bytes = MAX_TIMELINE if call in _TIMELINES else MAX_ANSWER
        try:
            getattr(library, call)(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever the library makes of it: what came over the wire counts
            failure = error
        # Each call has a connection of its own: a server may close a waiting one just as the next call goes out (snac
        # closes it after every answer), and a post would be in doubt for nothing.
        session.close()
        if session.answer is not None:
            return self._read(*session.answer)
        # The library's own error carries the real one only as its context.
        cause = (failure and failure.__context__) or failure or RuntimeError()  # the last: no call was made
        # Raised outside of the handler, so that neither its text nor its causes go along.
        raise error_for_exception(cause, where=WHERE)

    def error(self, answer: HttpAnswer, *, whole_channel: bool = True) -> ChannelError:
        """Return what an answer other than a success means for every call.

        Args:
            answer: The answer.
            whole_channel: A rate limit on this call holds for all posts.
        """
        # takahe rejects a token in plain words, with a 400
        rejected = answer.in_class(4) and answer.body is None and _TOKEN.search(answer.message)
        if answer.status == HTTPStatus.UNAUTHORIZED or rejected:
            return Blocked(f"Mastodon does not accept our token{answer.quoted}", code=answer.code, remedy=RENEW)
        if answer.refused and answer.status == HTTPStatus.FORBIDDEN:
            reason = f"Mastodon does not let this account or token do it{answer.quoted}"
            return Blocked(reason, code=answer.code, remedy=_CHECK_ACCOUNT)
        if answer.status in {404, 410}:
            return Unconfirmed(f"Mastodon does not know what we asked for{answer.quoted}", code=answer.code)
        error = judge_common(answer, now=self.clock.now(), where=WHERE, setting="server")
        if isinstance(error, Unavailable):
            error.whole_channel = error.whole_channel and whole_channel
        return error

    def close(self) -> None:
        """Let the library go. A later call loads it again."""
        for name in ("_library", "_session"):
            self.__dict__.pop(name, None)

    @cached_property
    def _session(self) -> PostSession:
        with import_lock():
            from policenotify.networks._requests import PostSession  # noqa: PLC0415 - loads requests

        # No address of the API ends in a slash (docs.joinmastodon.org/methods).
        session = PostSession(lambda url: url.rstrip("/"), self._timeout, plain=self._server.startswith("http:"))
        session.headers["Connection"] = "close"  # RFC 9112, section 9.6
        return session

    @cached_property
    def _library(self) -> mastodon.Mastodon:
        with import_lock():
            import mastodon  # noqa: PLC0415 - 0.2 s and 25 MiB, paid when first used

        library = mastodon.Mastodon(
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

    def _read(self, status: int, headers: Mapping[str, str], content: bytes) -> HttpAnswer:
        body = parse_json(content)
        error = body.get("error") if isinstance(body, dict) else None
        if body is None and _PLAIN_WORDS.fullmatch(content):  # whatever type it names, as takahe does
            error = content.decode()
        return HttpAnswer(
            status,
            headers,
            body,
            from_network=isinstance(body, dict) and "error" in body,
            message=redact(error, [self._token.get_secret_value()], _MAIL) if isinstance(error, str) else "",
        )
