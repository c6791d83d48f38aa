"""X's API, through tweepy's own client but without its surprises.

tweepy calls one fixed host, without a timeout, follows redirects, and writes every token into its log. Its authors
leave its `session` for such matters. Ours sends each call to the channel's service *before* it is signed, so that the
signature holds for what is sent. It also keeps the answer, so that an exception of tweepy's, or of a library below it,
is never all that is known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from policenotify.channel import Account, Clock, Services
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks import load
from policenotify.networks._http import RotatingSecret, StoredSecret, fingerprint, open_session, verify_owner
from policenotify.networks.x.rules import (
    CLOCK,
    PERMISSIONS,
    WHERE,
    XAnswer,
    is_id,
    judge,
    posted_at,
    read,
    without_side_effects,
)
from policenotify.translation import AnyText, Text
from policenotify.transport import mute_loggers

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

_SKEW = timedelta(seconds=5)  # how far the clocks of X's own machines may be apart
_MARGIN = timedelta(minutes=2)  # asked for in addition: X's clock is known only from its answer
_PAGE, _PAGES = 100, 32  # docs.x.com, "Get Posts": 100 at once, the last 3,200 in all
# The fields to ask for, by the names of OpenAPI 2.167 and by those before; X refuses names that it does not know.
_FIELDS = (
    {"post.fields": "created_at,conversation_id,entities,note_post", "expansions": "referenced_posts"},
    {"tweet.fields": "created_at,conversation_id,entities,note_tweet,referenced_tweets"},
)

_APP_ERRORS = frozenset({"invalid_client", "unauthorized_client"})  # RFC 6749, section 5.2
_APP = Text("X does not know the app{quoted}")
_CHECK_APP = Text("Check client_id and client_secret in the channel's settings, then: policenotify doctor")
_REVOKED = Text("X no longer accepts the refresh token: it was revoked, or its successor got lost{quoted}")
_AUTHORISE = Text(
    "Authorise the app for the account again (docs: X, OAuth 2), put the new refresh token into the "
    "channel's settings, then: policenotify doctor"
)

hush: Callable[[], AbstractContextManager[None]] = mute_loggers(*map(logging.getLogger, _LOGGERS))
"""Mute the loggers of tweepy and of what signs for it in this thread: they would log keys, tokens and signatures."""


@dataclass(frozen=True, slots=True)
class TokenPair(StoredSecret):
    """A pair of OAuth 2 tokens, as it is stored.

    Attributes:
        access: The token of each call.
        refresh: The token that brings the next pair, once.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)


class Client(RotatingSecret[TokenPair, XAnswer]):
    """X's API with the credentials of one account, and that account as X shows it.

    Four keys of OAuth 1.0a sign each call, and never expire. An OAuth 2 access token lasts two hours. A refresh token
    brings the next pair, and is used up by that. A lost pair is lost for good: only a person can authorise the app
    again.

    Tokens and the account's number are stored under a fingerprint of the credentials: new ones in the settings begin a
    new chain of token pairs. The keys are consumer key, its secret, access token, its secret. What is not given is
    empty.
    """

    name: ClassVar[str] = "tokens"
    label: ClassVar[AnyText] = Text("The token pair for X")

    def __init__(
        self,
        account: str,
        *,
        handle: str,
        service: str,
        timeout: float,
        keys: tuple[str, ...],
        client_id: str,
        refresh_token: str,
        client_secret: str,
        services: Services,
    ) -> None:
        self._secrets = (*keys, refresh_token, client_secret)  # they must appear nowhere
        owner = f"{account} {fingerprint(client_id, *self._secrets)}"
        # Another process may wait for a renewal, to connect and to answer, twice.
        super().__init__(TokenPair, owner=owner, store=services.store, lease=4 * timeout)
        self.clock: Clock = services.clock
        self._handle = handle
        self._service = service
        self._timeout = timeout
        self._keys = keys
        self._app, self._refresh_token = (client_id, client_secret), refresh_token
        self._number = ""
        self._skew: timedelta | None = None

    def ask(self, method: str, *args: object, **kwargs: object) -> XAnswer:
        """Make one call, with a renewed token if X does not accept the present one.

        The method is one of `tweepy.Client`, whose `request` is for calls that have none of their own.

        Raises:
            Unavailable: The call never reached X, or there is no token for it.
            Unconfirmed: No answer came, or only a part of one.
            Blocked: X does not accept the refresh token.
        """

        def call(token: str) -> XAnswer:
            self._tweepy.bearer_token = token or None
            bound = getattr(self._tweepy, method)
            return self._answer(lambda: bound(*args, user_auth=not token, **kwargs), token)

        answer = call("") if self._keys else self.ask_with(lambda pair: call(pair.access))
        self._skew = answer.clock_skew(self.clock.now())
        return answer

    def error(self, answer: XAnswer, *, all_posts: bool = False) -> ChannelError:
        """Return what an answer other than a success means now. See `judge`."""
        now = self.clock.now()
        denied = self._keys and answer.status == HTTPStatus.UNAUTHORIZED
        if denied and abs(answer.clock_skew(now)) > _CLOCK_APART:
            return CLOCK.judgement(answer, now=now)  # X need not name the reason
        return judge(answer, now=now, all_posts=all_posts)

    def number(self) -> str:
        """Return the account's number, which also proves that the credentials are its own. It is stored."""
        if not self._number:
            self._number = verify_owner(self._store, self._owner, lambda: self.whoami().id)
        return self._number

    def whoami(self) -> Account:
        """Ask X whose the credentials are, and compare."""
        with without_side_effects(Text("asking who we are")):
            answer = self.ask("get_me")
            number, handle = answer.data.get("id"), answer.data.get("username")
            if not (is_id(number) and isinstance(handle, str)):
                raise self.error(answer)
        if handle.lower() != self._handle.lower():
            raise Blocked(
                Text(
                    "The credentials are those of {handle}, not of {handle_2}. Nothing was posted.",
                    handle=handle,
                    handle_2=self._handle,
                ),
                remedy=Text(
                    "Correct `handle` in the channel's settings, or its keys and tokens, then: policenotify doctor"
                ),
            )
        return Account(id=str(number), name=handle, url=f"https://x.com/{handle}")

    def x_time(self, at: datetime) -> datetime:
        """Return a time of our clock by X's clock, as its last answer shows it."""
        if self._skew is None:
            self.whoami()
        return at + (self._skew or timedelta(0))

    def posts_since(self, since: datetime) -> list[Mapping[str, Any]]:
        """Return the account's posts since a time of our clock, newest first.

        What that time is by X's clock is known only from X's answer, since our clock may have been set since the last
        one. So somewhat more is asked for.
        """
        asked = self.x_time(since) - _MARGIN
        posts = list(self._timeline(asked))
        if (first := self.x_time(since) - _SKEW) < asked:
            posts = list(self._timeline(first))
        return [post for post in posts if posted_at(post["id"]) >= first]

    def _timeline(self, since: datetime) -> Iterator[Mapping[str, Any]]:
        place: dict[str, Any] = {"start_time": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "max_results": _PAGE}
        path, (fields, *others) = f"/2/users/{self.number()}/tweets", _FIELDS
        for _ in range(_PAGES):
            answer = self.ask("request", "GET", path, params=place | fields)  # tweepy knows not all fields
            unknown = "fields" in answer.phrases or "expansions" in answer.phrases
            if answer.status == HTTPStatus.BAD_REQUEST and unknown and others:
                fields, *others = others
                continue
            posts, following = self._page(answer)
            yield from posts
            if not following:
                return
            place["pagination_token"] = following
        raise Unconfirmed(Text("The timeline on X is too long to be read to its end."))

    def _page(self, answer: XAnswer) -> tuple[list[Mapping[str, Any]], str | None]:
        """Return the posts of a page, and the token of the next one."""
        posts, meta = answer.object.get("data", []), answer.object.get("meta")
        if (
            answer.ok
            and isinstance(meta, dict)
            and isinstance(posts, list)
            and all(isinstance(post, dict) and is_id(post.get("id")) for post in posts)
            and (posts or meta.get("result_count") == 0)
        ):
            return posts, meta.get("next_token")
        error = self.error(answer)
        if isinstance(error, Refused) or answer.gives(PERMISSIONS):  # about reading, not about posting
            raise Unavailable(
                Text("X does not show the account's posts to its app: {reason}", reason=error.reason),
                code=error.code,
                remedy=error.remedy,
            )
        raise error

    def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        if "_session" in self.__dict__:
            self._session.close()

    @cached_property
    def _session(self) -> PostSession:
        return open_session(
            self._timeout,
            plain=self._service.startswith("http:"),
            rewrite=lambda url: self._service + url.removeprefix(_TWEEPYS),
            keep=True,
        )

    @cached_property
    def _tweepy(self) -> Any:  # noqa: ANN401 - tweepy is not typed
        client = load("tweepy").Client(None, *self._keys, return_type=load("requests").Response)
        client.session.close()
        client.session = self._session
        return client

    def _is_expired(self, answer: XAnswer) -> bool:
        return answer.status == HTTPStatus.UNAUTHORIZED and answer.from_network  # RFC 6750, section 3.1

    def _renewed(self, known: TokenPair | None) -> TokenPair:
        """Get the next pair (RFC 6749, section 6)."""
        app, secret = self._app
        refresh = known.refresh if known else self._refresh_token
        form = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": app}
        with without_side_effects(Text("renewing the tokens")):
            login = (app, secret) if secret else None
            post = partial(self._session.post, "/2/oauth2/token", data=form, auth=login)
            answer = self._answer(post, *form.values())
            if not answer.ok:
                raise self._renewal_error(answer)
        access, following = answer.object.get("access_token"), answer.object.get("refresh_token", refresh)
        if not (isinstance(access, str) and isinstance(following, str)):
            raise Unavailable(
                Text("X's answer to the renewal of its tokens cannot be read."), remedy=Text("It will be tried again.")
            )
        return TokenPair(self._owner, access, following)

    def _renewal_error(self, answer: XAnswer) -> ChannelError:
        error = answer.object.get("error")
        if not isinstance(error, str) or answer.status not in {400, 401, 403}:
            return judge(answer, now=self.clock.now())
        reason, remedy = (_APP, _CHECK_APP) if error in _APP_ERRORS else (_REVOKED, _AUTHORISE)
        return Blocked(reason.filled(quoted=answer.quoted), code=answer.code, remedy=remedy)

    def _answer(self, call: Callable[[], object], *secrets: str) -> XAnswer:
        with hush():
            answer = self._session.ask(call, where=WHERE)
        return read(*answer, (*secrets, *self._secrets))
