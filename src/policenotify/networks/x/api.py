"""X's API, through tweepy's own client but without its surprises.

tweepy calls one fixed host, without a timeout, follows redirects, and writes every token into its log. Its authors
leave its `session` for such matters. Ours sends each call to the channel's service *before* it is signed, so that the
signature holds for what is sent. It also keeps the answer, so that an exception of tweepy's, or of a library below it,
is never all that is known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from policenotify.channel import Clock, StateStore
from policenotify.errors import ChannelError, Unconfirmed
from policenotify.networks import import_lock
from policenotify.networks._bounds import MAX_ANSWER, MAX_TIMELINE
from policenotify.networks.x.auth import Credentials, TokenStore
from policenotify.networks.x.rules import CLOCK, WHERE, XAnswer, judge, read
from policenotify.transport import error_for_exception, mute_loggers

if TYPE_CHECKING:
    from policenotify.networks._requests import PostSession

_CLOCK_APART = timedelta(minutes=2)  # no clock that is set is so far from X's; X does not document its own limit
_TWEEPYS = "https://api.twitter.com"  # tweepy.client.BaseClient.request
_LOGGERS = (
    "tweepy.client",
    "requests_oauthlib.oauth1_auth",
    "requests_oauthlib.oauth1_session",
    "oauthlib.oauth1.rfc5849",
    "oauthlib.oauth1.rfc5849.signature",
)

hush: Callable[[], AbstractContextManager[None]] = mute_loggers(*map(logging.getLogger, _LOGGERS))
"""Mute the loggers of tweepy and of what signs for it in this thread: they would log keys, tokens and signatures."""


class Client:
    """X's API with the credentials of one account.

    Args:
        owner: The channel's account and a fingerprint of the credentials.
        service: The address of X.
        timeout: Seconds to wait for a connection, and again for the whole answer.
        credentials: Keys that sign each call, or the beginning of a chain of tokens.
        clock: Time, for answers that give a delay.
        store: The place of the tokens.
    """

    def __init__(
        self, *, owner: str, service: str, timeout: float, credentials: Credentials, clock: Clock, store: StateStore
    ) -> None:
        self.clock = clock
        self._service = service
        self._timeout = timeout
        self._keys = tuple(key.get_secret_value() for key in credentials.keys)
        self._secrets = credentials.secrets
        self._skew: timedelta | None = None
        self._tokens: TokenStore | None = None
        if not self._keys:
            self._tokens = TokenStore(
                owner=owner,
                credentials=credentials,
                post_form=self._post_form,
                clock=clock,
                store=store,
                lease=4 * timeout,  # another process may wait for a renewal, to connect and to answer, twice
            )

    @property
    def clock_skew(self) -> timedelta | None:
        """The lead of X's clock as of its last answer, or `None` before the first."""
        return self._skew

    def ask(self, method: str, *args: object, **kwargs: object) -> XAnswer:
        """Make one call, with a renewed token if X does not accept the present one.

        Args:
            method: A method of `tweepy.Client`. Its `request` is for calls that have no method.
            args: Its arguments.
            kwargs: Its keyword arguments.

        Raises:
            Unavailable: The call never reached X, or there is no token for it.
            Unconfirmed: No answer came, or only a part of one.
            Blocked: X does not accept the refresh token.
        """

        def call(token: str) -> XAnswer:
            self._tweepy.bearer_token = token or None
            bound = getattr(self._tweepy, method)
            self._session.adapter.max_bytes = MAX_TIMELINE if method == "request" else MAX_ANSWER
            return self._answer(lambda: bound(*args, user_auth=not token, **kwargs), token)

        answer = self._tokens.ask(lambda pair: call(pair.access)) if self._tokens else call("")
        self._skew = answer.clock_skew(self.clock.now())
        return answer

    def error(self, answer: XAnswer, *, all_posts: bool = False) -> ChannelError:
        """Return what an answer other than a success means now. See `judge`."""
        now = self.clock.now()
        if self._keys and answer.status == HTTPStatus.UNAUTHORIZED and abs(answer.clock_skew(now)) > _CLOCK_APART:
            return CLOCK.judgement(answer, now=now)  # X need not name the reason
        return judge(answer, now=now, all_posts=all_posts)

    def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        if "_session" in self.__dict__:
            self._session.close()

    @cached_property
    def _session(self) -> PostSession:
        with import_lock():
            from policenotify.networks._requests import PostSession  # noqa: PLC0415 - loads requests

        return PostSession(
            lambda url: self._service + url.removeprefix(_TWEEPYS),
            self._timeout,
            plain=self._service.startswith("http:"),
        )

    @cached_property
    def _tweepy(self) -> Any:  # noqa: ANN401 - tweepy is not typed
        with import_lock():
            import requests  # noqa: PLC0415 - comes with tweepy
            import tweepy  # noqa: PLC0415 - 0.4 s and 23 MiB, paid when first used

        client = tweepy.Client(None, *self._keys, return_type=requests.Response)
        client.session.close()
        client.session = self._session
        return client

    def _post_form(self, path: str, fields: Mapping[str, str], login: tuple[str, str] | None) -> XAnswer:
        return self._answer(lambda: self._session.post(path, data=dict(fields), auth=login), *fields.values())

    def _answer(self, call: Callable[[], object], *secrets: str) -> XAnswer:
        self._session.answer = None
        failure: ChannelError = Unconfirmed("X was not asked.")
        with hush():
            try:
                call()
            except Exception as error:  # noqa: BLE001 - tweepy lets its libraries' errors through, and fails on lists
                failure = error_for_exception(error, where=WHERE)
        answer = self._session.answer
        if answer is None:
            raise failure  # outside the `except`: the library's error holds the request with its token
        return read(*answer, (*secrets, *self._secrets))
