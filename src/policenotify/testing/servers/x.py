"""A fake X server: one account, its posts and threads, as readers see them.

It answers as X's API v2 does wherever a client notices the difference, as far as X documents it. X publishes the form
of its calls, but only some texts of its refusals.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, Literal

from policenotify.testing.servers import VisibleImage, thread_of
from policenotify.testing.servers._x_rules import (
    DUPLICATE,
    INVALID,
    MEDIA,
    MISSING,
    NOT_PERMITTED,
    UNAUTHORIZED,
    invalid,
    oauth_error,
    problem,
    refusal,
    schema_error,
    signed_at,
    weighted_length,
)
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest

_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # docs.x.com, "X IDs"
_WINDOW = timedelta(minutes=15)
_CREATES = 100  # in a window, for one account (docs.x.com, "Rate limits")
_IMAGE_LIMIT = 5 * 1024 * 1024  # docs.x.com, "Media best practices"
_MEDIA_LIVES = timedelta(seconds=86_400)
_ACCESS = timedelta(hours=2)  # docs.x.com, "OAuth 2.0 Authorization Code Flow with PKCE"
_SCOPES = "tweet.read tweet.write users.read media.write offline.access"
_NEW_FIELDS = frozenset({"created_at", "conversation_id", "entities", "note_post"})  # OpenAPI 2.167, those used here
_FIELDS = frozenset({"created_at", "conversation_id", "entities", "note_tweet", "referenced_tweets"})  # before


@dataclass(slots=True)
class _Media:
    data: bytes
    ends: datetime
    alt: str = ""
    used: bool = False


class FakeXServer(FakeServer):
    """A fake X server with one account.

    It accepts calls signed with `consumer` and `access`, and bearer tokens, the first of which comes from
    `refresh_token`.

    Args:
        handle: The account's handle.
        client_secret: The app's secret for OAuth 2. Empty: a public client.
        now: The server's time.

    Attributes:
        number: The account's id.
        consumer: The app's key and secret (OAuth 1.0a).
        access: The account's token and secret (OAuth 1.0a).
        client: The app's id and secret (OAuth 2).
        refresh_token: The first refresh token.
        limit: The longest post.
        duplicate_window: How long an equal text is rejected. Minutes, an hour and a day were observed.
        posts_left: Posts left in this window before a 429.
        day_left: Posts left for the app today before a 429.
        renewals: Number of token renewals.
        lag: Delay until a post appears in the timeline.
        page: The largest page of the timeline.
        knows_fields: The query parameter for fields that the timeline accepts.
        clock_tolerance: The largest difference of a signature's time (RFC 5849, section 3.3). `None`: any, because
            clients sign with the system clock, which may differ from the server's.
    """

    def __init__(
        self,
        handle: str = "police34",
        *,
        client_secret: str = "client-secret-of-the-server",  # noqa: S107 - not a secret
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(now=now)
        self.handle = handle
        self.number = "1234567890"
        self.consumer: tuple[str, str] = ("consumer-key-of-the-server", "consumer-secret-of-the-server")
        self.access: tuple[str, str] = (f"{self.number}-access-token-of-the-server", "access-secret-of-the-server")
        self.client: tuple[str, str] = ("client-id-of-the-server", client_secret)
        self.limit = 280
        self.duplicate_window: timedelta = timedelta(days=1)
        self.posts_left: int = _CREATES
        self.day_left: int = 10_000
        self.lag: timedelta = timedelta(0)
        self.page = 100
        self.knows_fields: Literal["post.fields", "tweet.fields", "none"] = "post.fields"
        self.clock_tolerance: timedelta | None = None
        self._count = 0
        self._posts: dict[str, VisibleXPost] = {}
        self._media: dict[str, _Media] = {}
        self._signatures: set[tuple[datetime, str]] = set()
        self.renewals: int = 0
        self._issued: list[str] = []
        self._access: dict[str, datetime] = {}
        self._refresh: set[str] = set()  # each is valid once
        self.refresh_token: str = self.authorise()
        self.on("POST", "/2/oauth2/token", self._renew)
        for method, path, answer in (
            ("GET", "/2/users/me", self._me),
            ("GET", f"/2/users/{self.number}/tweets", self._timeline),
            ("POST", "/2/tweets", self._create),
            ("DELETE", "/2/tweets/*", self._delete),
            ("POST", "/2/media/upload", self._upload),
            ("POST", "/2/media/metadata", self._describe),
        ):
            self.on(method, path, self._guarded(answer))

    @property
    def posts(self) -> tuple[VisibleXPost, ...]:
        """All posts as readers see them, oldest first."""
        with self._lock:
            return tuple(self._posts.values())

    def thread(self, post_id: str) -> tuple[VisibleXPost, ...]:
        """Return the conversation of a post, without replies to deleted posts."""
        return thread_of(self.posts, post_id)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Keys and tokens, which must appear nowhere."""
        with self._lock:
            return (*self.consumer, *self.access, *filter(None, self.client[1:]), *self._issued)

    def write(self, text: str, *, parent: str | None = None, at: datetime | None = None) -> str:
        """Publish a post as if by hand, without checks, and return its id."""
        with self._lock:
            return self._put(text, parent, (), at or self._now()).id

    def expire_access(self) -> None:
        """Expire every access token, as after two hours."""
        self._access.clear()

    def revoke_refresh(self) -> None:
        """Revoke every refresh token."""
        self._refresh.clear()

    def authorise(self) -> str:
        """Return a new refresh token, as when a person authorises the app again."""
        token = self._new_token("refresh")
        self._refresh.add(token)
        return token

    def forget_media(self) -> None:
        """Delete the pictures that no post shows, as after a day."""
        with self._lock:
            self._media = {number: media for number, media in self._media.items() if media.used}

    def _guarded(self, answer: Callable[[RecordedRequest], Answer]) -> Callable[[RecordedRequest], Answer]:
        def guarded(request: RecordedRequest) -> Answer:
            return answer(request) if self._is_authorised(request) else UNAUTHORIZED

        return guarded

    def _is_authorised(self, request: RecordedRequest) -> bool:
        scheme, _, token = (request.headers["Authorization"] or "").partition(" ")
        if scheme not in {"OAuth", "Bearer"}:
            return False
        if scheme == "Bearer":
            return token in self._access and self._now() < self._access[token]
        signature = signed_at(request, self.url, self.consumer, self.access)
        if signature is None or signature in self._signatures:  # each is accepted once
            return False
        self._signatures.add(signature)
        return self.clock_tolerance is None or abs(self._now() - signature[0]) <= self.clock_tolerance

    def _new_token(self, kind: str) -> str:
        token = base64.b64encode(f"{kind}-token-of-the-server-{len(self._issued):04d}".encode()).decode().rstrip("=")
        self._issued.append(token)
        return token

    def _renew(self, request: RecordedRequest) -> Answer:
        form = {name: values[0] for name, values in request.form().items()}
        login = base64.b64encode(":".join(self.client).encode()).decode()
        if self.client[1] and request.headers["Authorization"] != f"Basic {login}":
            return oauth_error("unauthorized_client", "Missing valid authorization header", 401)
        if form.get("client_id") != self.client[0]:
            return oauth_error("invalid_request", "Value passed for the client id was invalid.")
        token = form.get("refresh_token", "")
        if form.get("grant_type") != "refresh_token" or token not in self._refresh:
            return oauth_error("invalid_request", "Value passed for the token was invalid.")
        self._refresh.remove(token)
        self.renewals += 1
        access = self._new_token("access")
        self._access[access] = self._now() + _ACCESS
        return Answer.json(
            {
                "token_type": "bearer",
                "expires_in": int(_ACCESS.total_seconds()),
                "access_token": access,
                "scope": _SCOPES,
                "refresh_token": self.authorise(),
            }
        )

    def _me(self, _: RecordedRequest) -> Answer:
        return Answer.json({"data": {"id": self.number, "name": "Police", "username": self.handle}})

    def _timeline(self, request: RecordedRequest) -> Answer:
        requested = {
            name: frozenset(request.query[name][0].split(",")) for name in request.query if name.endswith(".fields")
        }
        known = {"post.fields": _NEW_FIELDS, "tweet.fields": _FIELDS}
        for name, fields in requested.items():
            if name != self.knows_fields or not fields <= known[name]:
                return invalid(name, f"The query parameter [{name}] is not one of [{self.knows_fields}]")
        start = datetime.fromisoformat(request.query.get("start_time", ["2010-11-06T00:00:00Z"])[0])
        posts = [post for post in reversed(self.posts) if start <= post.created_at.replace(microsecond=0)]
        if self.lag:
            end = self._now() - self.lag
            posts = [post for post in posts if post.created_at <= end]
        size = min(int(request.query.get("max_results", ["10"])[0]), self.page)
        first = int(request.query.get("pagination_token", ["0"])[0])
        meta: dict[str, Any] = {"result_count": len(posts[first : first + size])}
        if not meta["result_count"]:
            return Answer.json({"meta": meta})
        if first + size < len(posts):
            meta["next_token"] = str(first + size)
        fields = frozenset(request.query.get("expansions", ())).union(*requested.values())
        data = [post_entity(post, self.handle, fields) for post in posts[first : first + size]]
        return Answer.json({"data": data, "meta": meta | {"newest_id": data[0]["id"], "oldest_id": data[-1]["id"]}})

    def _create(self, request: RecordedRequest) -> Answer:
        if min(self.posts_left, self.day_left) <= 0:
            return replace(problem(429, "Too Many Requests", title="Too Many Requests"), headers=self._limits())
        self.posts_left -= 1
        self.day_left -= 1
        body = request.json()
        refused = schema_error(body) or self._refusal(body)
        if refused is not None:
            return replace(refused, headers={**refused.headers, **self._limits()})
        pictures = [self._media[number] for number in body.get("media", {}).get("media_ids", [])]
        for picture in pictures:
            picture.used = True
        images = tuple(VisibleImage(picture.alt, picture.data) for picture in pictures)
        post = self._put(body.get("text", ""), body.get("reply", {}).get("in_reply_to_tweet_id"), images, self._now())
        if self.drops_posts:
            del self._posts[post.id]
        text, _ = with_short_links(post, self.handle)
        data = {"id": post.id, "text": text, "edit_history_tweet_ids": [post.id]}
        return Answer.json({"data": data}, 201, headers=self._limits())

    def _refusal(self, body: dict[str, Any]) -> Answer | None:
        """Return the refusal of a post, or `None`."""
        media, text = body.get("media", {}).get("media_ids", []), body.get("text", "")
        parent = body.get("reply", {}).get("in_reply_to_tweet_id")
        recent = (post for post in self.posts if self._now() - post.created_at < self.duplicate_window)
        reasons = {
            MEDIA: any(not self._is_usable(number) for number in media),
            MISSING: parent is not None and parent not in self._posts,
            DUPLICATE: any(post.text == text for post in recent),
        }
        if weighted_length(text) > self.limit or INVALID.search(text):
            return NOT_PERMITTED
        return next((refusal(reason) for reason, applies in reasons.items() if applies), None)

    def _put(self, text: str, parent: str | None, images: tuple[VisibleImage, ...], at: datetime) -> VisibleXPost:
        self._count += 1
        number = str(((at - _EPOCH) // timedelta(milliseconds=1) << 22) + self._count)
        root = self._posts[parent].conversation if parent in self._posts else (parent or number)
        post = VisibleXPost(number, text, at, parent, root, images)
        self._posts[number] = post
        return post

    def _delete(self, request: RecordedRequest) -> Answer:
        number = request.path.rpartition("/")[2]
        if self._posts.pop(number, None) is None:
            return problem(
                404, f"Could not find tweet with id: [{number}].", title="Not Found Error", kind="resource-not-found"
            )
        return Answer.json({"data": {"deleted": True}})

    def _upload(self, request: RecordedRequest) -> Answer:
        body = request.json()
        if body.keys() != {"media", "media_category"} or body["media_category"] != "tweet_image":
            return invalid("media_category", "$.media_category: is missing or unknown")
        try:
            data = base64.b64decode(body["media"], validate=True)
        except (ValueError, TypeError):
            return invalid("media", "$.media: is not in base 64")
        if not 0 < len(data) <= _IMAGE_LIMIT:
            return invalid("media", "File size exceeds the limit.")
        self._count += 1
        number = str(10**18 + self._count)
        self._media[number] = _Media(data, self._now() + _MEDIA_LIVES)
        about = {
            "id": number,
            "media_key": f"3_{number}",
            "size": len(data),
            "expires_after_secs": int(_MEDIA_LIVES.total_seconds()),
        }
        return Answer.json({"data": about})

    def _describe(self, request: RecordedRequest) -> Answer:
        body = request.json()
        alt = body.get("metadata", {}).get("alt_text", {}).get("text")
        if body.get("id") not in self._media:
            return invalid("id", "Invalid media id")
        if not isinstance(alt, str) or len(alt) > 1000:  # noqa: PLR2004 - OpenAPI, `maxLength`
            return invalid("metadata.alt_text.text", "$.metadata.alt_text.text: may only be 1000 characters long")
        self._media[body["id"]].alt = alt
        return Answer.json({"data": {"id": body["id"], "associated_metadata": {"alt_text": {"text": alt}}}})

    def _is_usable(self, number: str) -> bool:
        media = self._media.get(number)
        return media is not None and not media.used and self._now() < media.ends

    def _limits(self) -> dict[str, str]:
        limits = (
            ("x-rate-limit", _CREATES, self.posts_left, _WINDOW),
            ("x-app-limit-24hour", 10_000, self.day_left, timedelta(days=1)),
        )
        headers: dict[str, str] = {}
        for name, most, left, window in limits:
            headers |= {f"{name}-limit": str(most), f"{name}-remaining": str(max(left, 0))}
            headers[f"{name}-reset"] = str(int((self._now() + window).timestamp()))
        return headers


# Roughly what X links: URLs, and bare domains of some of its ~1,500 top-level domains
_LINK = re.compile(r"https?://[^\s]*[\w/]|(?<![@\w.-])(?:[\w-]+\.)+(?:fr|com|org|net|eu|example|La|paris)\b(?:/\S*\w)?")
_SHORT = 280  # longer posts are returned cut, and whole as a "note"


@dataclass(frozen=True, slots=True)
class VisibleXPost:
    """A post as a reader sees it.

    Attributes:
        text: With the links as they were written.
        parent: Id of the post that it replies to, or `None`.
        conversation: Id of the post that starts the thread.
    """

    id: str
    text: str
    created_at: datetime
    parent: str | None
    conversation: str
    images: tuple[VisibleImage, ...] = ()


def with_short_links(post: VisibleXPost, handle: str) -> tuple[str, list[dict[str, str]]]:
    """Return a post's text and short links. The last one leads to its pictures."""
    urls: list[dict[str, str]] = []

    def short(expanded: str, shown: str) -> str:
        url = f"https://t.co/{int(post.id) % 10**8:08d}{len(urls):02d}"
        urls.append({"url": url, "expanded_url": expanded, "display_url": shown})
        return url

    def link(match: re.Match[str]) -> str:
        return short(match[0] if "://" in match[0] else f"http://{match[0]}", match[0].partition("://")[2] or match[0])

    text = _LINK.sub(link, escape(post.text, quote=False))
    if post.images:
        text += f" {short(f'https://x.com/{handle}/status/{post.id}/photo/1', 'pic.x.com/1')}"
    return text, urls


def post_entity(post: VisibleXPost, handle: str, fields: frozenset[str]) -> Mapping[str, Any]:
    """Return a post as `GET /2/users/{id}/tweets` returns it, with the requested fields."""
    text, urls = with_short_links(post, handle)
    entity: dict[str, Any] = {"id": post.id, "text": text, "edit_history_tweet_ids": [post.id]}
    more: dict[str, Any] = {
        "created_at": post.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "conversation_id": post.conversation,
    }
    if urls:
        more["entities"] = {"urls": urls}
    if post.parent:
        more["referenced_tweets"] = more["referenced_posts"] = [{"type": "replied_to", "id": post.parent}]
    if weighted_length(post.text) > _SHORT:
        entity["text"] = f"{text[:250]}… https://t.co/{int(post.id) % 10**8:08d}99"
        more["note_tweet"] = more["note_post"] = {"text": text, "entities": {"urls": urls}}
    return entity | {name: value for name, value in more.items() if name in fields}
