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
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from policenotify.channel import Account, Clock, StateStore
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks import load
from policenotify.networks._http import open_session, verify_owner
from policenotify.networks.x.auth import Credentials, TokenStore
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
from policenotify.translation import Text
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

hush: Callable[[], AbstractContextManager[None]] = mute_loggers(*map(logging.getLogger, _LOGGERS))
"""Mute the loggers of tweepy and of what signs for it in this thread: they would log keys, tokens and signatures."""


class Client:
    """X's API with the credentials of one account, and that account as X shows it.

    The owner is the channel's account and a fingerprint of the credentials: tokens and the account's number are stored
    under it. The timeout is in seconds, for a connection, and again for the answer.
    """

    def __init__(
        self,
        *,
        handle: str,
        owner: str,
        service: str,
        timeout: float,
        credentials: Credentials,
        clock: Clock,
        store: StateStore,
    ) -> None:
        self.clock = clock
        self._handle = handle
        self._owner = owner
        self._store = store
        self._number = ""
        self._service = service
        self._timeout = timeout
        self._credentials = credentials
        self._skew: timedelta | None = None
        self._tokens: TokenStore | None = None
        if not credentials.keys:
            self._tokens = TokenStore(
                owner=owner,
                credentials=credentials,
                post=self._post_form,
                clock=clock,
                store=store,
                lease=4 * timeout,  # another process may wait for a renewal, to connect and to answer, twice
            )

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

        answer = self._tokens.ask(lambda pair: call(pair.access)) if self._tokens else call("")
        self._skew = answer.clock_skew(self.clock.now())
        return answer

    def error(self, answer: XAnswer, *, all_posts: bool = False) -> ChannelError:
        """Return what an answer other than a success means now. See `judge`."""
        now = self.clock.now()
        if not self._tokens and answer.status == HTTPStatus.UNAUTHORIZED and abs(answer.clock_skew(now)) > _CLOCK_APART:
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
        client = load("tweepy").Client(None, *self._credentials.keys, return_type=load("requests").Response)
        client.session.close()
        client.session = self._session
        return client

    def _post_form(self, form: dict[str, str], login: tuple[str, str] | None) -> XAnswer:
        return self._answer(lambda: self._session.post("/2/oauth2/token", data=form, auth=login), *form.values())

    def _answer(self, call: Callable[[], object], *secrets: str) -> XAnswer:
        with hush():
            answer = self._session.ask(call, where=WHERE)
        return read(*answer, (*secrets, *self._credentials.secrets))
