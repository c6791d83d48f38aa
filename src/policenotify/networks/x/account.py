"""The account that the credentials belong to, and its timeline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from policenotify.channel import Account, StateStore
from policenotify.errors import Blocked, JournalError, Refused, Unavailable, Unconfirmed
from policenotify.networks._http import verify_owner
from policenotify.networks.x.api import Client
from policenotify.networks.x.post import ShownPost, is_id, posted_at
from policenotify.networks.x.rules import PERMISSIONS, XAnswer, without_side_effects

_SKEW = timedelta(seconds=5)  # how far the clocks of X's own machines may be apart
_MARGIN = timedelta(minutes=2)  # asked for in addition: X's clock is known only from its answer
_PAGE, _PAGES = 100, 32  # docs.x.com, "Get Posts": 100 at once, the last 3,200 in all
# The fields to ask for, by the names of OpenAPI 2.167 and by those before; X refuses names that it does not know.
_FIELDS: tuple[dict[str, str], ...] = (
    {"post.fields": "created_at,conversation_id,entities,note_post", "expansions": "referenced_posts"},
    {"tweet.fields": "created_at,conversation_id,entities,note_tweet,referenced_tweets"},
    {},  # what it shows unasked will do for most posts
)


class OwnAccount:
    """The account of a channel, as X shows it.

    Its number is stored for *owner*: the channel's account and a fingerprint of the credentials.
    """

    def __init__(self, client: Client, *, handle: str, owner: str, store: StateStore) -> None:
        self._client = client
        self._handle = handle
        self._owner = owner
        self._store = store
        self._number = ""

    def number(self) -> str:
        """Return the account's number, which also proves that the credentials are its own."""
        if not self._number:
            try:
                self._number = verify_owner(self._store, self._owner, lambda: self.whoami().id)
            except JournalError:
                raise Unavailable(
                    "The stored number of the account on X cannot be read.", remedy="It will be tried again."
                ) from None
        return self._number

    def whoami(self) -> Account:
        """Ask X whose the credentials are, and compare."""
        with without_side_effects("asking who we are"):
            answer = self._client.ask("get_me")
            number, handle = answer.data.get("id"), answer.data.get("username")
            if not (is_id(number) and isinstance(handle, str)):
                raise self._client.error(answer)
        if handle.lower() != self._handle.lower():
            raise Blocked(
                f"The credentials are those of {handle}, not of {self._handle}. Nothing was posted.",
                remedy="Correct `handle` in the channel's settings, or its keys and tokens, then: policenotify doctor",
            )
        return Account(id=str(number), name=handle, url=f"https://x.com/{handle}")

    def x_time(self, at: datetime) -> datetime:
        """Return a time of our clock by X's clock, as its last answer shows it."""
        if self._client.clock_skew is None:
            self.whoami()
        return at + (self._client.clock_skew or timedelta(0))

    def posts_since(self, since: datetime) -> list[ShownPost]:
        """Return the account's posts since a time of our clock, newest first.

        What that time is by X's clock is known only from X's answer, since our clock may have been set since the last
        one. So somewhat more is asked for.
        """
        asked = self.x_time(since) - _MARGIN
        posts = list(self._timeline(asked))
        if (first := self.x_time(since) - _SKEW) < asked:
            posts = list(self._timeline(first))
        return [post for post in posts if posted_at(post["id"]) >= first]

    def _timeline(self, since: datetime) -> Iterator[ShownPost]:
        place: dict[str, Any] = {"start_time": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "max_results": _PAGE}
        path, (fields, *others) = f"/2/users/{self.number()}/tweets", _FIELDS
        for _ in range(_PAGES):
            answer = self._client.ask("request", "GET", path, params=place | fields)  # tweepy knows not all fields
            unknown = "fields" in answer.phrases or "expansions" in answer.phrases
            if answer.status == HTTPStatus.BAD_REQUEST and unknown and others:
                fields, *others = others
                continue
            posts, following = self._page(answer)
            yield from posts
            if not following:
                return
            place["pagination_token"] = following
        raise Unconfirmed("The timeline on X is too long to be read to its end.")

    def _page(self, answer: XAnswer) -> tuple[list[ShownPost], str | None]:
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
        error = self._client.error(answer)
        if isinstance(error, Refused) or answer.gives(PERMISSIONS):  # about reading, not about posting
            raise Unavailable(
                f"X does not show the account's posts to its app: {error.reason}", code=error.code, remedy=error.remedy
            )
        raise error
