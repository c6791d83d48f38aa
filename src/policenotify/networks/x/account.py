"""Whose the credentials are: asked once, kept, and asked again when the credentials change.

A post under the wrong account cannot be taken back from those who have read it; so nothing is said before X has
named the account, and it is the one of the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from policenotify.channel import Account, Clock, StateStore
from policenotify.errors import Blocked, JournalError, Refused, Unavailable, Unconfirmed
from policenotify.networks.x.auth import Credentials, fingerprint
from policenotify.networks.x.errors import PERMISSIONS, Answer, judge, without_side_effects
from policenotify.networks.x.post import is_id

_NAME = "identity"


class Identity:
    """Whose the credentials of a channel are.

    Args:
        account: The channel's account.
        handle: Whose they should be.
        credentials: The credentials; only a fingerprint of them is kept.
        ask: Makes a call: tweepy's method, its arguments.
        clock: Time.
        keep: Where the answer lives.
    """

    def __init__(
        self,
        *,
        account: str,
        handle: str,
        credentials: Credentials,
        ask: Callable[..., Answer],
        clock: Clock,
        keep: StateStore,
    ) -> None:
        self._handle = handle
        self._seal = f"{account} {fingerprint(credentials)}"
        self._ask = ask
        self._clock = clock
        self._keep = keep
        self._number = ""

    def number(self) -> str:
        """The account's number, which also proves that the credentials are its own.

        Raises:
            Blocked: They are another account's, or X does not accept them.
            Unavailable: X could not be asked, or the journal not be read.
        """
        if self._number:
            return self._number
        try:
            kept = self._keep.load(_NAME)
            seal, _, number = kept.value.rpartition(" ") if kept else ("", "", "")
            if seal != self._seal:
                number = self.asked().id
                # whoever is faster says the same
                self._keep.compare_and_swap(_NAME, f"{self._seal} {number}", version=kept.version if kept else None)
        except JournalError:
            raise Unavailable("What is kept of X is not to be read.", remedy="It will be tried again.") from None
        self._number = number
        return number

    def asked(self) -> Account:
        """Ask X whose they are.

        Raises:
            Blocked: They are another account's, or X does not accept them.
            Unavailable: X could not be asked.
        """
        with without_side_effects("asking who we are"):
            answer = self._ask("get_me")
            number, handle = answer.data.get("id"), answer.data.get("username")
            if not (is_id(number) and isinstance(handle, str)):
                raise judge(answer, now=self._clock.now())
        if handle.lower() != self._handle.lower():
            raise Blocked(
                f"The credentials are those of {handle}, not of {self._handle}. Nothing was posted.",
                remedy="Correct `handle` in the channel's settings, or its keys and tokens, then: policenotify doctor",
            )
        return Account(id=str(number), name=handle, url=f"https://x.com/{handle}")


_PAGE, _PAGES = 100, 32  # docs.x.com, "Get Posts": 100 at once, the last 3,200 in all
# What is asked for, by the names of OpenAPI 2.167 and by those before; X refuses names that it does not know.
_FIELDS: tuple[dict[str, str], ...] = (
    {"post.fields": "created_at,conversation_id,entities,note_post", "expansions": "referenced_posts"},
    {"tweet.fields": "created_at,conversation_id,entities,note_tweet,referenced_tweets"},
    {},  # what it shows without being asked will do for most posts
)

Shown = Mapping[str, Any]
"""A post as the timeline shows it."""


def posts_since(
    since: datetime, *, number: str, ask: Callable[..., Answer], now: Callable[[], datetime]
) -> Iterator[Shown]:
    """The account's posts, newest first.

    Args:
        since: The earliest time, by X's clock.
        number: The account's number.
        ask: Makes a call: tweepy's method, its arguments. (tweepy has no method that knows the fields of today.)
        now: Tells the time.

    Yields:
        What X shows of each, with its `id`.

    Raises:
        ChannelError: The timeline could not be read, or not to its end.
    """
    place: dict[str, Any] = {"start_time": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "max_results": _PAGE}
    fields, *others = _FIELDS
    for _ in range(_PAGES):
        answer = ask("request", "GET", f"/2/users/{number}/tweets", params=place | fields)
        refused = answer.status == 400 and ("fields" in answer.words or "expansions" in answer.words)  # noqa: PLR2004 - RFC 9110
        if refused and others:
            fields, *others = others
            continue
        posts, following = _page(answer, now())
        yield from posts
        if not following:
            return
        place["pagination_token"] = following
    raise Unconfirmed("The timeline on X is too long to be read to its end.")


def _page(answer: Answer, now: datetime) -> tuple[list[Shown], str | None]:
    """The posts of a page, and where the next one is."""
    body = answer.body or {}
    posts, meta = body.get("data", []), body.get("meta")
    if (
        answer.ok
        and isinstance(meta, dict)
        and isinstance(posts, list)
        and all(isinstance(each, dict) and is_id(each.get("id")) for each in posts)
        and (posts or meta.get("result_count") == 0)
    ):
        return posts, meta.get("next_token")
    error = judge(answer, now=now)
    if isinstance(error, Refused) or answer.gives(PERMISSIONS):  # true of the question, not of the channel
        raise Unavailable(
            f"X does not show the account's posts to its app: {error.reason}", code=error.code, remedy=error.remedy
        )
    raise error
