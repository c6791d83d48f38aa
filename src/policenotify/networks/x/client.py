"""X's calls, through tweepy's own client but without its surprises.

tweepy calls one fixed host, without a timeout, follows redirects, and writes every token into its log. Its `session`
is the place that its authors leave for such matters: ours sends each call to the channel's service *before* it is
signed, so that the signature holds for what is sent, and keeps the answer, so that an exception of tweepy's (or of
what it lets through) is never all that is known.

Importing this module loads tweepy (0.4 s, 23 MiB), so `x` imports it where a call is made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import requests
import tweepy

from policenotify.errors import ChannelError, JournalError, Unconfirmed
from policenotify.networks._requests import LeaseAdapter
from policenotify.networks.x.errors import WHERE, Answer, read
from policenotify.transport import error_for_exception, mute_loggers

_TWEEPYS = "https://api.twitter.com"  # tweepy.client.BaseClient.request
_LOGGERS = (
    "tweepy.client",
    "requests_oauthlib.oauth1_auth",
    "requests_oauthlib.oauth1_session",
    "oauthlib.oauth1.rfc5849",
    "oauthlib.oauth1.rfc5849.signature",
)

_VISIBLE = frozenset({"create_tweet", "delete_tweet"})  # the calls that change what readers see

hush = mute_loggers(*map(logging.getLogger, _LOGGERS))
"""Keep tweepy and what signs for it from logging what this thread makes them do: keys, tokens, signatures."""


class Client:
    """A line to X.

    Args:
        service: Where X is.
        timeout: Seconds to wait for a connection, and again for each piece of the answer.
        keys: Consumer key, its secret, access token, its secret (OAuth 1.0a); empty where each call brings a token.
        secrets: What must never come back in X's words.
    """

    def __init__(self, service: str, timeout: float, keys: tuple[str, ...], secrets: tuple[str, ...]) -> None:
        self._session = _Session(service, timeout)
        self._secrets = secrets
        self._client = tweepy.Client(None, *keys, return_type=requests.Response)
        self._client.session.close()
        self._client.session = self._session

    def ask(self, method: str, *args: object, token: str, **what: object) -> Answer:
        """Make one call by one of the client's methods; `request` is the one for what tweepy has no other for.

        Args:
            method: The method's name.
            args: Its arguments.
            token: An OAuth 2 user token; empty: the call is signed with the keys.
            what: More arguments.

        Raises:
            Unavailable: The call never reached X.
            Unconfirmed: No answer came, or only a part of one.
            JournalError: The call would publish, and the lease is over. It was not made.
        """
        self._client.bearer_token = token or None
        call = getattr(self._client, method)
        with self._session.lease.publishing() if method in _VISIBLE else nullcontext():
            answer = self._answer(lambda: call(*args, user_auth=not token, **what), token)
        return replace(answer, signed=not token)

    def form(self, path: str, fields: Mapping[str, str], login: tuple[str, str] | None) -> Answer:
        """Post a form, as token endpoints want it (RFC 6749, section 6).

        Raises:
            Unavailable: The call never reached X.
            Unconfirmed: No answer came, or only a part of one.
        """
        return self._answer(lambda: self._session.post(path, data=dict(fields), auth=login), *fields.values())

    def close(self) -> None:
        """Let go of connections; a later call opens new ones."""
        self._session.close()

    def _answer(self, call: Callable[[], object], *secrets: str) -> Answer:
        self._session.answer = None
        failed: ChannelError = Unconfirmed("X was not asked.")
        with hush():
            try:
                call()
            except JournalError:  # the lease is over
                raise
            except Exception as error:  # noqa: BLE001 - tweepy lets its libraries' errors through, and fails on lists
                failed = error_for_exception(error, where=WHERE)
        got = self._session.answer
        if got is None:
            raise failed  # outside the `except`: the library's error holds the request with its token
        return read(got.status_code, got.headers, got.content, (*secrets, *self._secrets))


class _Session(requests.Session):
    """The session that tweepy calls through.

    Attributes:
        answer: The whole answer to the last call; `None` when none came.
        lease: Checks the lease before calls that publish.
    """

    def __init__(self, service: str, timeout: float) -> None:
        super().__init__()
        self.answer: requests.Response | None = None
        self.lease = LeaseAdapter()
        self.mount("https://", self.lease)
        self.mount("http://", self.lease)
        self.auth = _as_it_is  # else a ~/.netrc that names the host, or a default, replaces the bearer token
        # Plain http is for this machine alone: a proxy of the environment (HTTP_PROXY) would carry a token off it.
        self.trust_env = not service.startswith("http:")
        self._service = service
        self._timeout = timeout

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **more: Any) -> requests.Response:  # noqa: ANN401 - the parent's
        here = self._service + str(url).removeprefix(_TWEEPYS)
        more |= {"timeout": self._timeout, "allow_redirects": False}  # a post and a token go to nobody else
        self.answer = super().request(method, here, *args, **more)
        return self.answer


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
