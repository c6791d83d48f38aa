"""X on the loopback: one account, its posts and threads, and what a reader would see of them.

It answers as X's API v2 does where a client can tell the difference, as far as that is known: X publishes the form of
its calls, and of its refusals only some words.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import escape
from threading import RLock
from typing import Any, Literal, NamedTuple

from policenotify.testing.servers import VisibleImage
from policenotify.testing.servers._x_rules import (
    CLOSED,
    DUPLICATE,
    MEDIA,
    MISSING,
    NO_ANSWER,
    NO_CREDITS,
    NOT_PERMITTED,
    OAuth2Tokens,
    Signatures,
    as_code,
    invalid,
    invalid_token,
    not_taken,
    problem,
    refusal,
    unfit,
)
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest
from policenotify.text import x_weight

_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # docs.x.com, "X IDs"
_WINDOW = timedelta(minutes=15)
_CREATES = 100  # in a window, for one account (docs.x.com, "Rate limits")
_IMAGE_LIMIT = 5 * 1024 * 1024  # docs.x.com, "Media best practices"
_MEDIA_LIVES = timedelta(seconds=86_400)
_NEW_FIELDS = frozenset({"created_at", "conversation_id", "entities", "note_post"})  # OpenAPI 2.167, those used here
_FIELDS = frozenset({"created_at", "conversation_id", "entities", "note_tweet", "referenced_tweets"})  # before


@dataclass(slots=True)
class _Media:
    data: bytes
    ends: datetime
    polls: int
    alt: str = ""
    used: bool = False


class FakeXServer(FakeServer):
    """A fake of X with one account, on which faults can be laid as on any `FakeServer`.

    Both ways in are open: calls signed with the four strings `consumer` and `access`, and bearer tokens, of which
    `refresh_token` brings the first.

    Args:
        handle: The account's handle.
        client_secret: The app's secret for OAuth 2; empty: a public client.
        now: The server's time.

    Attributes:
        number: The account's number.
        consumer: The app's key and secret (OAuth 1.0a).
        access: The account's token and secret (OAuth 1.0a).
        client: The app's id and secret (OAuth 2).
        refresh_token: The first refresh token.
        closed: Why the account may not write, or `None`.
        nobody: Nobody is let in, as if all keys and tokens were revoked.
        credits: Whether there are any left.
        may_answer: Whom the account may answer: its `own` posts, or `nobody`.
        unseen: Posts that the machines which take answers do not see yet.
        limit: How long a post may be.
        duplicate_window: For how long the same text is refused; seen minutes, an hour and a day later.
        errors: The form of most refusals, both of OpenAPI 2.167: a `problem` (RFC 7807), or `code` and message.
        posts_left: Posts left in this window before a 429.
        day_left: Posts left for the app today before a 429.
        polls: How often a picture must be asked for until it is processed.
        unusable: Whether processing a picture fails.
        lag: How long after it was taken a post shows on the timeline.
        page: Posts on a page of the timeline, at most.
        knows_fields: By which names the timeline knows fields; `none`: by others than those.
    """

    def __init__(
        self,
        handle: str = "police34",
        *,
        client_secret: str = "client-secret-of-the-stand",  # noqa: S107 - the stand's own, and no secret
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(now=now)
        self.handle = handle
        self.number = "1234567890"
        self.consumer: tuple[str, str] = ("consumer-key-of-the-stand", "consumer-secret-of-the-stand")
        self.access: tuple[str, str] = (f"{self.number}-access-token-of-the-stand", "access-secret-of-the-stand")
        self.client: tuple[str, str] = ("client-id-of-the-stand", client_secret)
        self.closed: Literal["suspended", "locked", "read-only"] | None = None
        self.nobody = False
        self.credits = True
        self.may_answer: Literal["own", "nobody"] = "own"
        self.unseen: set[str] = set()
        self.limit = 280
        self.duplicate_window: timedelta = timedelta(days=1)
        self.posts_left: int = _CREATES
        self.day_left: int = 10_000
        self.polls = 0
        self.unusable = False
        self.lag: timedelta = timedelta(0)
        self.page = 100
        self.knows_fields: Literal["post.fields", "tweet.fields", "none"] = "post.fields"
        self.errors: Literal["problem", "code"] = "problem"
        self._clock = now
        self._lock = RLock()
        self._count = 0
        self._posts: dict[str, XPost] = {}
        self._media: dict[str, _Media] = {}
        self._signatures = Signatures(self.consumer, self.access, now)
        self._tokens = OAuth2Tokens(self.client, now)
        self.refresh_token: str = self._tokens.first
        self.on("POST", "/2/oauth2/token", self._token)
        for method, path, answer in (
            ("GET", "/2/users/me", self._me),
            ("GET", f"/2/users/{self.number}/tweets", self._timeline),
            ("POST", "/2/tweets", self._create),
            ("DELETE", "/2/tweets/*", self._delete),
            ("POST", "/2/media/upload", self._upload),
            ("GET", "/2/media/upload", self._status),
            ("POST", "/2/media/metadata", self._describe),
        ):
            self.on(method, path, self._guarded(answer))

    @property
    def posts(self) -> tuple[XPost, ...]:
        """All posts, oldest first, as a reader sees them."""
        with self._lock:
            return tuple(self._posts.values())

    def thread(self, post_id: str) -> tuple[XPost, ...]:
        """The conversation that a post starts, as readers are shown it: a post whose parent is gone hangs nowhere."""
        seen: dict[str, XPost] = {}
        for post in self.posts:
            if post.id == post_id or (post.conversation == post_id and post.parent in seen):
                seen[post.id] = post
        return tuple(seen.values())

    @property
    def apart(self) -> timedelta | None:
        """How far from the stand's clock the time of a signature may be; `None`: any will do."""
        return self._signatures.apart

    @apart.setter
    def apart(self, apart: timedelta | None) -> None:
        self._signatures.apart = apart

    @property
    def renewals(self) -> int:
        """How often tokens were renewed."""
        return self._tokens.renewals

    @property
    def secrets(self) -> tuple[str, ...]:
        """Keys and tokens: none of them may be seen anywhere."""
        with self._lock:
            return (*self.consumer, *self.access, *filter(None, self.client[1:]), *self._tokens.secrets)

    def write(self, text: str, *, parent: str | None = None, at: datetime | None = None) -> str:
        """Put a post there as if by hand, unchecked, and return its number."""
        with self._lock:
            return self._put(text, parent, (), at or self._clock()).id

    def expire_access(self) -> None:
        """Let every access token expire, as after two hours."""
        self._tokens.end("access")

    def revoke_refresh(self) -> None:
        """Let every refresh token end."""
        self._tokens.end("refresh")

    def authorise(self) -> str:
        """A new refresh token, as when a person authorises the app again."""
        return self._tokens.authorise()

    def forget_media(self) -> None:
        """Drop the pictures that no post shows, as after a day."""
        with self._lock:
            self._media = {number: media for number, media in self._media.items() if media.used}

    def _token(self, seen: RecordedRequest) -> Answer:
        with self._lock:
            return invalid_token() if self.nobody else self._tokens.renew(seen)

    def _guarded(self, answer: Callable[[RecordedRequest], Answer]) -> Callable[[RecordedRequest], Answer]:
        def answered(seen: RecordedRequest) -> Answer:
            with self._lock:
                if not self._lets_in(seen):
                    return self._in_form(problem(401, "Unauthorized", title="Unauthorized"))
                if not self.credits:
                    return self._in_form(NO_CREDITS)
                return self._in_form(answer(seen))

        return answered

    def _in_form(self, answer: Answer) -> Answer:
        return as_code(answer) if self.errors == "code" else answer

    def _lets_in(self, seen: RecordedRequest) -> bool:
        scheme, _, token = (seen.headers["Authorization"] or "").partition(" ")
        if self.nobody or scheme not in {"OAuth", "Bearer"}:
            return False
        return self._tokens.accepts(token) if scheme == "Bearer" else self._signatures.accepts(seen, self.url)

    def _me(self, _: RecordedRequest) -> Answer:
        return Answer.json({"data": {"id": self.number, "name": "Police", "username": self.handle}})

    def _timeline(self, seen: RecordedRequest) -> Answer:
        asked = {name: frozenset(seen.query[name][0].split(",")) for name in seen.query if name.endswith(".fields")}
        have = {"post.fields": _NEW_FIELDS, "tweet.fields": _FIELDS}
        for name, fields in asked.items():
            if name != self.knows_fields or not fields <= have[name]:
                return invalid(name, f"The query parameter [{name}] is not one of [{self.knows_fields}]")
        start = datetime.fromisoformat(seen.query.get("start_time", ["2010-11-06T00:00:00Z"])[0])
        posts = [post for post in reversed(self.posts) if start <= post.created_at.replace(microsecond=0)]
        if self.lag:
            end = self._clock() - self.lag
            posts = [post for post in posts if post.created_at <= end]
        size = min(int(seen.query.get("max_results", ["10"])[0]), self.page)
        first = int(seen.query.get("pagination_token", ["0"])[0])
        meta: dict[str, Any] = {"result_count": len(posts[first : first + size])}
        if not meta["result_count"]:
            return Answer.json({"meta": meta})
        if first + size < len(posts):
            meta["next_token"] = str(first + size)
        fields = frozenset(seen.query.get("expansions", ())).union(*asked.values())
        data = [shown(post, self.handle, fields) for post in posts[first : first + size]]
        return Answer.json({"data": data, "meta": meta | {"newest_id": data[0]["id"], "oldest_id": data[-1]["id"]}})

    def _create(self, seen: RecordedRequest) -> Answer:
        limits = self._limits()
        if limits is not None:
            return limits
        self.posts_left -= 1
        self.day_left -= 1
        asked = seen.json()
        refusal = self._refusal(asked)
        if refusal is not None:
            return replace(refusal, headers={**refusal.headers, **self._headers()})
        pictures = [self._media[number] for number in asked.get("media", {}).get("media_ids", [])]
        for picture in pictures:
            picture.used = True
        images = tuple(VisibleImage(picture.alt, picture.data) for picture in pictures)
        post = self._put(
            asked.get("text", ""), asked.get("reply", {}).get("in_reply_to_tweet_id"), images, self._clock()
        )
        text = wrapped(post, self.handle).text
        made = {"id": post.id, "text": text, "edit_history_tweet_ids": [post.id]}
        return Answer.json({"data": made}, 201, headers=self._headers())

    def _refusal(self, asked: dict[str, Any]) -> Answer | None:
        """Why this is not posted."""
        media, text = asked.get("media", {}).get("media_ids", []), asked.get("text", "")
        parent = asked.get("reply", {}).get("in_reply_to_tweet_id")
        recent = (post for post in self.posts if self._clock() - post.created_at < self.duplicate_window)
        reasons = {
            MEDIA: any(not self._is_usable(number) for number in media),
            MISSING: parent is not None and (parent not in self._posts or parent in self.unseen),
            NO_ANSWER: parent is not None and self.may_answer == "nobody",
            DUPLICATE: any(post.text == text for post in recent),
        }
        if answer := unfit(asked):
            return answer
        if self.closed:
            return CLOSED[self.closed]
        if x_weight(text) > self.limit or not_taken(text):
            return NOT_PERMITTED
        return next((refusal(why) for why, holds in reasons.items() if holds), None)

    def _put(self, text: str, parent: str | None, images: tuple[VisibleImage, ...], at: datetime) -> XPost:
        self._count += 1
        number = str(((at - _EPOCH) // timedelta(milliseconds=1) << 22) + self._count)
        root = self._posts[parent].conversation if parent in self._posts else (parent or number)
        post = XPost(number, text, at, parent, root, images)
        self._posts[number] = post
        return post

    def _delete(self, seen: RecordedRequest) -> Answer:
        number = seen.path.rpartition("/")[2]
        if self._posts.pop(number, None) is None:
            return problem(
                404, f"Could not find tweet with id: [{number}].", title="Not Found Error", kind="resource-not-found"
            )
        return Answer.json({"data": {"deleted": True}})

    def _upload(self, seen: RecordedRequest) -> Answer:
        asked = seen.json()
        if asked.keys() != {"media", "media_category"} or asked["media_category"] != "tweet_image":
            return invalid("media_category", "$.media_category: is missing or unknown")
        try:
            data = base64.b64decode(asked["media"], validate=True)
        except (ValueError, TypeError):
            return invalid("media", "$.media: is not in base 64")
        if not 0 < len(data) <= _IMAGE_LIMIT:
            return invalid("media", "File size exceeds the limit.")
        self._count += 1
        number = str(10**18 + self._count)
        self._media[number] = _Media(data, self._clock() + _MEDIA_LIVES, self.polls)
        return self._processing(number)

    def _status(self, seen: RecordedRequest) -> Answer:
        number = seen.query["media_id"][0]
        if number not in self._media:
            return invalid("media_id", "Invalid media id")
        self._media[number].polls -= 1
        return self._processing(number)

    def _processing(self, number: str) -> Answer:
        media = self._media[number]
        about: dict[str, Any] = {
            "id": number,
            "media_key": f"3_{number}",
            "size": len(media.data),
            "expires_after_secs": int(_MEDIA_LIVES.total_seconds()),
        }
        if media.polls > 0:
            state = "pending" if media.polls == self.polls else "in_progress"
            about["processing_info"] = {"state": state, "check_after_secs": 2}
        elif self.unusable:
            about["processing_info"] = {"state": "failed"}
        elif self.polls:
            about["processing_info"] = {"state": "succeeded", "progress_percent": 100}
        return Answer.json({"data": about})

    def _describe(self, seen: RecordedRequest) -> Answer:
        asked = seen.json()
        alt = asked.get("metadata", {}).get("alt_text", {}).get("text")
        if asked.get("id") not in self._media:
            return invalid("id", "Invalid media id")
        if not isinstance(alt, str) or len(alt) > 1000:  # noqa: PLR2004 - OpenAPI, `maxLength`
            return invalid("metadata.alt_text.text", "$.metadata.alt_text.text: may only be 1000 characters long")
        self._media[asked["id"]].alt = alt
        return Answer.json({"data": {"id": asked["id"], "associated_metadata": {"alt_text": {"text": alt}}}})

    def _is_usable(self, number: str) -> bool:
        media = self._media.get(number)
        ready = media is not None and not media.used and media.polls <= 0 and not self.unusable
        return ready and media is not None and self._clock() < media.ends

    def _headers(self) -> dict[str, str]:
        def limit(name: str, most: int, left: int, window: timedelta) -> dict[str, str]:
            ends = int((self._clock() + window).timestamp())
            return {f"{name}-limit": str(most), f"{name}-remaining": str(max(left, 0)), f"{name}-reset": str(ends)}

        day = timedelta(days=1)
        return limit("x-rate-limit", _CREATES, self.posts_left, _WINDOW) | limit(
            "x-app-limit-24hour", 10_000, self.day_left, day
        )

    def _limits(self) -> Answer | None:
        if self.posts_left > 0 and self.day_left > 0:
            return None
        return replace(problem(429, "Too Many Requests", title="Too Many Requests"), headers=self._headers())


# What X would link, nearly: addresses, and bare domains of some of its ~1,500 top-level domains
_LINK = re.compile(r"https?://[^\s]*[\w/]|(?<![@\w.-])(?:[\w-]+\.)+(?:fr|com|org|net|eu|example|La|paris)\b(?:/\S*\w)?")
_SHORT = 280  # longer posts are shown cut, and whole as a "note"


@dataclass(frozen=True, slots=True)
class XPost:
    """A post as a reader sees it.

    Attributes:
        id: Its number.
        text: What is read, links as they were written.
        created_at: When it was posted.
        parent: Number of the post that it answers, or `None`.
        conversation: Number of the post that starts the thread.
        images: Its pictures.
    """

    id: str
    text: str
    created_at: datetime
    parent: str | None
    conversation: str
    images: tuple[VisibleImage, ...] = ()


class Wrapped(NamedTuple):
    """A text with X's own links in it.

    Attributes:
        text: The text.
        urls: What stands for what.
    """

    text: str
    urls: list[dict[str, str]]


def wrapped(post: XPost, handle: str) -> Wrapped:
    """Put X's links in the place of those of the text, and one behind it for pictures."""
    urls: list[dict[str, str]] = []

    def short(expanded: str, shown: str) -> str:
        url = f"https://t.co/{int(post.id) % 10**8:08d}{len(urls):02d}"
        urls.append({"url": url, "expanded_url": expanded, "display_url": shown})
        return url

    def link(found: re.Match[str]) -> str:
        return short(found[0] if "://" in found[0] else f"http://{found[0]}", found[0].partition("://")[2] or found[0])

    text = _LINK.sub(link, escape(post.text, quote=False))
    if post.images:
        text += f" {short(f'https://x.com/{handle}/status/{post.id}/photo/1', 'pic.x.com/1')}"
    return Wrapped(text, urls)


def shown(post: XPost, handle: str, fields: frozenset[str]) -> Mapping[str, Any]:
    """The post as `GET /2/users/{id}/tweets` shows it.

    Args:
        post: The post.
        handle: Whose it is.
        fields: Which fields were asked for besides the usual ones.
    """
    text, urls = wrapped(post, handle)
    made: dict[str, Any] = {"id": post.id, "text": text, "edit_history_tweet_ids": [post.id]}
    more: dict[str, Any] = {
        "created_at": post.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "conversation_id": post.conversation,
    }
    if urls:
        more["entities"] = {"urls": urls}
    if post.parent:
        more["referenced_tweets"] = more["referenced_posts"] = [{"type": "replied_to", "id": post.parent}]
    if x_weight(post.text) > _SHORT:
        made["text"] = f"{text[:250]}… https://t.co/{int(post.id) % 10**8:08d}99"
        more["note_tweet"] = more["note_post"] = {"text": text, "entities": {"urls": urls}}
    return made | {name: value for name, value in more.items() if name in fields}
