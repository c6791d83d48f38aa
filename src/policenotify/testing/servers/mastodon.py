"""A fake Mastodon server: one account and its posts, as readers see them.

It answers as Mastodon does wherever a client notices the difference: idempotency keys that last an hour, lengths, edits
that remove what they do not repeat, replies to a deleted post, slow processing of pictures, rate limits. It can behave
like GoToSocial, which differs in some of this.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, Literal

from policenotify.testing.servers import VisibleImage, thread_of
from policenotify.testing.servers._mastodon_rules import (
    LIMITS,
    MAX_ALT,
    fields,
    flag,
    instance,
    language,
    refusal,
)
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest, Refusal

_KEY_LIFETIME = timedelta(hours=1)  # PostStatusService
_IMAGE_LIMIT = 16 * 1024 * 1024  # MediaAttachment
_PAGE, _LONGEST_PAGE = 20, 40  # docs.joinmastodon.org/methods/accounts, "Get account's statuses"


class FakeMastodonServer(FakeServer):
    """A fake Mastodon server with one account.

    Args:
        handle: The account's name on the server.
        token: The accepted access token.
        software: The kind of server.
        now: The server's time.

    Attributes:
        language: The account's posting language.
        polls: Number of status requests until an upload is processed.
        processing_fails: Processing of uploads fails.
        has_limits: It has rate limits. GoToSocial has none.
    """

    def __init__(
        self,
        handle: str = "police34",
        token: str = "server-token-0123456789",  # noqa: S107 - not a secret
        *,
        software: Literal["mastodon", "gotosocial"] = "mastodon",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(now=now)
        self.handle = handle
        self.token = token
        self._gotosocial = software == "gotosocial"
        self._refused_with = 400 if self._gotosocial else 422
        self.language = "fr"
        self.polls = 0
        self.processing_fails = False
        self.has_limits: bool = not self._gotosocial
        self._count = 0
        self._posts: dict[str, VisibleMastodonPost] = {}
        self._media: dict[str, Media] = {}
        self._keys: dict[str, tuple[str, datetime]] = {}
        self._calls: Counter[tuple[str, int]] = Counter()  # by limit and window
        status_path = "/api/v1/statuses/*"
        for method, path, answer, family in (
            ("GET", "/api/v1/accounts/verify_credentials", self._verify_credentials, "all"),
            ("GET", "/api/v1/accounts/*/statuses", self._timeline, "all"),
            ("POST", "/api/v2/media", self._upload, "media"),
            ("GET", "/api/v1/media/*", self._uploaded, "all"),
            ("POST", "/api/v1/statuses", self._post, "all"),
            ("GET", status_path, self._shown, "all"),
            ("GET", f"{status_path}/history", self._history, "all"),
            ("PUT", status_path, self._edit, "all"),
            ("DELETE", status_path, self._delete, "deletes"),
        ):
            self.on(method, path, self._guarded(answer, family))
        self.on("GET", "/api/v2/instance", self._instance)

    # --- what readers see, and changes by hand

    @property
    def posts(self) -> tuple[VisibleMastodonPost, ...]:
        """All posts as readers see them, oldest first."""
        with self._lock:
            return tuple(self._posts.values())

    def thread(self, id_: str) -> tuple[VisibleMastodonPost, ...]:
        """Return the thread under a post, oldest first."""
        return thread_of(self.posts, id_)

    @property
    def profile(self) -> tuple[VisibleMastodonPost, ...]:
        """Posts that readers find, oldest first: without replies whose parent is missing."""
        return thread_of(self.posts)

    def write(self, text: str, *, at: datetime | None = None, **more: Any) -> str:  # noqa: ANN401 - fields of a status
        """Publish a post as if by hand, without checks, and return its id."""
        with self._lock:
            made = self._made(text, **{"created_at": at or self._now(), **more})
            self._posts[made.id] = made
            return made.id

    def rewrite(self, id_: str, text: str) -> None:
        """Edit a post as if by hand."""
        with self._lock:
            self._change(self._posts[id_], replace(self._posts[id_], text=text))

    def remove(self, id_: str) -> None:
        """Delete a post as if by hand."""
        with self._lock:
            for media in self._posts.pop(id_).media:
                del self._media[media]
            for post in () if self._gotosocial else self.posts:
                if post.parent == id_:
                    self._posts[post.id] = replace(post, parent=None)

    def forget_media(self) -> None:
        """Delete the uploads that no post shows, as after a day."""
        with self._lock:
            self._media = {id_: media for id_, media in self._media.items() if id_ in self._attached()}

    def use_up(self, family: Literal["all", "statuses", "media", "deletes"]) -> None:
        """Use up a rate limit until its window ends."""
        limit, seconds = LIMITS[family]
        self._calls[family, int(self._now().timestamp()) // seconds] = limit

    @property
    def secrets(self) -> tuple[str, ...]:
        """The token, which must appear nowhere."""
        return (self.token,)

    # --- calls

    def _guarded(self, answer: Callable[[RecordedRequest], Answer], family: str) -> Callable[[RecordedRequest], Answer]:
        """Check limit and token."""

        def guarded(request: RecordedRequest) -> Answer:
            self._take(*{"all", family})
            if request.headers["Authorization"] != f"Bearer {self.token}":
                raise _refused(401, "The access token is invalid")
            return answer(request)

        return guarded

    def _take(self, *families: str) -> None:
        """Use a call of each of these limits. There is no `Retry-After`."""
        for family in families if self.has_limits else ():
            limit, seconds = LIMITS[family]
            window = int(self._now().timestamp()) // seconds
            if self._calls[family, window] >= limit:
                reset = datetime.fromtimestamp((window + 1) * seconds, UTC)
                headers = {"X-RateLimit-Reset": reset.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
                raise Refusal(Answer.json({"error": "Too many requests"}, 429, headers=headers))
            self._calls[family, window] += 1

    def _instance(self, _: RecordedRequest) -> Answer:
        self._take("all")  # it needs no token
        return Answer.json(instance(gotosocial=self._gotosocial))

    def _verify_credentials(self, _: RecordedRequest) -> Answer:
        return Answer.json(self._account())

    def _timeline(self, request: RecordedRequest) -> Answer:
        if request.path.split("/")[-2] != self._account()["id"]:
            raise _missing()
        size = min(int(request.query.get("limit", [str(_PAGE)])[0]), _LONGEST_PAGE)
        below = request.query.get("max_id", [""])[0]
        newest = self.posts[::-1]
        known = [post.id for post in newest]
        begin = known.index(below) + 1 if below in known else 0
        page = newest[begin : begin + size]
        last = page[-1].id if page else ""
        link = {"Link": f'<{self.url}{request.path}?limit={size}&max_id={last}>; rel="next"'} if page else {}
        return Answer.json([self._entity(post) for post in page], headers=link)

    def _found(self, request: RecordedRequest) -> VisibleMastodonPost:
        post = self._posts.get(request.path.split("/")[4])
        if post is None:
            raise _missing()
        return post

    def _shown(self, request: RecordedRequest) -> Answer:
        return Answer.json(self._entity(self._found(request)))

    def _history(self, request: RecordedRequest) -> Answer:
        post = self._found(request)
        return Answer.json(
            [
                {"content": html(each.text, self.url), "spoiler_text": each.warning, "created_at": iso(each.at)}
                for each in (*post.history, post.version)
            ]
        )

    def _upload(self, request: RecordedRequest) -> Answer:
        sent = fields(request)
        kind, data = sent["file"]
        alt = sent.get("description", "")
        if not kind.startswith("image/") or not data:
            raise _refused(422, "Validation failed: File content type is invalid")
        if len(data) > _IMAGE_LIMIT:
            raise _refused(422, "Validation failed: File size must be less than 16 MB")
        self._check_alt(alt)
        media = Media(self._new_id(), data, kind, alt, self.polls)
        self._media[media.id] = media
        return Answer.json(media.entity(self.url), 202 if media.polls else 200)

    def _uploaded(self, request: RecordedRequest) -> Answer:
        media = self._media.get(request.path.split("/")[4])
        if media is None or media.id in self._attached():
            raise _missing()
        if media.polls:
            media.polls -= 1
            return Answer.json(media.entity(self.url), 206)
        if self.processing_fails:
            raise _refused(422, "Error processing thumbnail for uploaded media")
        return Answer.json(media.entity(self.url))

    def _post(self, request: RecordedRequest) -> Answer:
        sent, key = fields(request), request.headers["Idempotency-Key"]
        known = self._keys.get(key or "")
        if known and not self._gotosocial and self._now() - known[1] < _KEY_LIFETIME:
            if known[0] not in self._posts:
                raise _missing()
            return Answer.json(self._entity(self._posts[known[0]]))
        parent = sent.get("in_reply_to_id")
        if parent and parent not in self._posts:
            raise _refused(404, "The post you are trying to reply to does not appear to exist.")
        language_ = language(sent.get("language"), self.language)
        if language_ is None and self._gotosocial:
            raise _refused(400, "Bad Request: language is not valid")
        media = self._media_for(sent, ())
        text, warning = self._checked(sent, media)
        self._take("statuses")
        post = self._made(
            text,
            warning=warning,
            sensitive=flag(sent.get("sensitive")) or bool(warning),
            visibility=sent.get("visibility") or "public",
            language=language_ or self.language,
            parent=parent,
            **_pictures(media),
        )
        if not self.drops_posts:
            self._posts[post.id] = post
            if key:
                self._keys[key] = (post.id, self._now())
        return Answer.json(self._entity(post))

    def _edit(self, request: RecordedRequest) -> Answer:
        post, sent = self._found(request), fields(request)
        media = self._media_for(sent, post.media)
        text, warning = self._checked(sent, media)
        alts = {each["id"]: each["description"] for each in sent.get("media_attributes", ()) if "description" in each}
        for alt in alts.values():
            self._check_alt(alt)
        self._take("statuses")
        for item in media:
            item.alt = alts.get(item.id, item.alt)
        sensitive = flag(sent.get("sensitive")) or bool(warning)
        after = replace(post, text=text, warning=warning, sensitive=sensitive, **_pictures(media))
        return Answer.json(self._entity(self._change(post, after)))

    def _delete(self, request: RecordedRequest) -> Answer:
        post = self._found(request)
        entity = self._entity(post) | {"text": post.text}
        self.remove(post.id)
        return Answer.json(entity)

    # --- checks of posts and edits

    def _checked(self, sent: Mapping[str, Any], media: list[Media]) -> tuple[str, str]:
        """Return text and warning as stored."""
        text, warning = sent.get("status", "").strip(), sent.get("spoiler_text", "").strip()
        if reason := refusal(text, warning, len(media), gotosocial=self._gotosocial):
            raise _refused(self._refused_with, reason)
        own = re.escape(self.url.partition("://")[2])
        return re.sub(rf"(@{re.escape(self.handle)})@{own}(?![\w.:])", r"\1", text), warning

    def _attached(self) -> set[str]:
        return {media for post in self._posts.values() for media in post.media}

    def _media_for(self, sent: Mapping[str, Any], own: Sequence[str]) -> list[Media]:
        ids, taken = sent.get("media_ids", []), self._attached().difference(own)
        usable = [media for id_ in ids if id_ not in taken and (media := self._media.get(id_))]
        if len(usable) != len(ids):
            lost = ", ".join(sorted(set(ids) - {media.id for media in usable}))
            raise _refused(self._refused_with, f"Media {lost} not found or already attached to another post")
        if any(media.polls for media in usable):
            raise _refused(
                self._refused_with, "Cannot attach files that have not finished processing. Try again in a moment!"
            )
        return usable

    def _check_alt(self, alt: str) -> None:
        if len(alt) > MAX_ALT:
            raise _refused(self._refused_with, f"Validation failed: Description character limit of {MAX_ALT} exceeded")

    # --- entities

    def _new_id(self) -> str:
        """Return an id that looks like a snowflake or a ULID."""
        self._count += 1
        milliseconds = int(self._now().timestamp() * 1000)
        if self._gotosocial:
            return f"01{milliseconds:020X}{self._count:04X}"
        return str((milliseconds << 16) + self._count)

    def _account(self) -> dict[str, Any]:
        return {
            "id": "109000000000000001",
            "username": self.handle,
            "acct": self.handle,
            "display_name": "Police",
            "url": f"{self.url}/@{self.handle}",
        }

    def _made(self, text: str, **more: Any) -> VisibleMastodonPost:  # noqa: ANN401 - fields of a post
        id_ = self._new_id()
        url = f"{self.url}/@{self.handle}/{id_}"
        return VisibleMastodonPost(
            **{"id": id_, "url": url, "text": text, "language": self.language, "created_at": self._now(), **more}
        )

    def _change(self, before: VisibleMastodonPost, after: VisibleMastodonPost) -> VisibleMastodonPost:
        """Edit a post. An edit that changes nothing adds no version."""
        if after != before:
            after = replace(after, history=(*before.history, before.version), edited_at=self._now())
        self._posts[before.id] = after
        return after

    def _entity(self, post: VisibleMastodonPost) -> dict[str, Any]:
        return {
            "id": post.id,
            "uri": f"{self.url}/users/{self.handle}/statuses/{post.id}",
            "url": post.url,
            "created_at": iso(post.created_at),
            "edited_at": iso(post.edited_at) if post.edited_at else None,
            "in_reply_to_id": post.parent,
            "spoiler_text": post.warning,
            "sensitive": post.sensitive,
            "visibility": post.visibility,
            "language": post.language,
            "content": html(post.text, self.url),
            "reblog": None,
            "account": self._account(),
            "media_attachments": [self._media[id_].entity(self.url) for id_ in post.media],
        }


def _pictures(media: Sequence[Media]) -> dict[str, Any]:
    """Return the fields of a post that shows these pictures."""
    images = tuple(VisibleImage(item.alt, item.data, item.type) for item in media)
    return {"media": tuple(item.id for item in media), "images": images}


def _refused(status: int, error: str) -> Refusal:
    return Refusal(Answer.json({"error": error}, status))


def _missing() -> Refusal:
    return _refused(404, "Record not found")


_MARKED = re.compile(
    r"(?P<url>https?://[^\s<>«»]*[\w/#)])"
    r"|(?<![=/\w])@(?P<user>\w+)(?:@[\w.-]+\w(?::\d+)?)?"
    r"|(?<!\S)#(?P<tag>\w*[^\W\d_]\w*)"
)


@dataclass(frozen=True, slots=True)
class PostVersion:
    """An earlier version of a post, which stays readable."""

    text: str
    warning: str
    at: datetime


@dataclass(slots=True)
class Media:
    """An upload.

    Attributes:
        polls: Number of status requests until it is processed.
    """

    id: str
    data: bytes
    type: str
    alt: str
    polls: int

    def entity(self, server: str) -> dict[str, Any]:
        """Return the API entity, without URL during processing."""
        url = None if self.polls else f"{server}/media/{self.id}"
        return {"id": self.id, "type": "image", "url": url, "description": self.alt}


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleMastodonPost:
    """A post as a reader sees it.

    Attributes:
        warning: The content warning, behind which the text is folded. Empty: none.
        sensitive: Its pictures are hidden until a click.
        visibility: `public`, `unlisted`, `private` or `direct`.
        language: ISO 639.
        parent: Id of the post that it replies to, or `None`.
        edited_at: Time of the last edit, or `None`.
        history: Earlier versions, oldest first.
        media: Ids of its pictures.
    """

    id: str
    url: str
    text: str
    warning: str = ""
    sensitive: bool = False
    visibility: str = "public"
    language: str | None
    images: tuple[VisibleImage, ...] = ()
    parent: str | None = None
    created_at: datetime
    edited_at: datetime | None = None
    history: tuple[PostVersion, ...] = ()
    media: tuple[str, ...] = field(default=(), repr=False)

    @property
    def tags(self) -> tuple[str, ...]:
        """Hashtags of a public post, with a letter, after white space."""
        return tuple(hit["tag"] for hit in _MARKED.finditer(self.text) if hit["tag"] and self.visibility == "public")

    @property
    def version(self) -> PostVersion:
        """What can be read now."""
        return PostVersion(self.text, self.warning, self.edited_at or self.created_at)


def html(text: str, server: str) -> str:
    """Return the HTML that the server makes of a text."""

    def marked(hit: re.Match[str]) -> str:
        if hit["url"]:
            head, rest = hit["url"].split("://", 1)
            pieces = (("invisible", f"{head}://"), ("ellipsis", rest[:30]), ("invisible", rest[30:]))
            shown = "".join(f'<span class="{kind}">{piece}</span>' for kind, piece in pieces)
            return f'<a href="{hit["url"]}" rel="nofollow noopener" translate="no">{shown}</a>'
        if hit["user"]:
            name = hit["user"]
            return (
                f'<span class="h-card"><a href="{server}/@{name}" class="u-url mention">@<span>{name}</span></a></span>'
            )
        return f'<a href="{server}/tags/{hit["tag"]}" class="mention hashtag" rel="tag">#<span>{hit["tag"]}</span></a>'

    paragraphs = _MARKED.sub(marked, escape(text, quote=False)).split("\n\n")
    return "".join(f"<p>{paragraph}</p>".replace("\n", "<br>") for paragraph in paragraphs)


def iso(at: datetime) -> str:
    """Return a time in the format of the API."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
