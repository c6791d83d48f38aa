"""A fake Threads server that enforces the rules of Meta's documents.

The documents are those of the Threads API at developers.facebook.com/documentation/threads, named by their titles, and
of the Graph API where noted. Comments name each choice that they leave open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import regex

from policenotify.testing import Answer, FakeServer, RecordedRequest

_DAY = timedelta(hours=24)
_SIXTY_DAYS = timedelta(days=60)  # "Long-Lived Tokens"
_LONGEST = 500  # "Posts", "Limitations"
_MOST_LINKS = 5  # "Text Attachments", "Limitations"
_MOST = {"posts": 250, "replies": 1000, "deletes": 100}  # "Overview", "Rate Limiting": in any 24 hours
_PAGE = 25  # Graph API, "Paginated Results": the default size
_FIELDS = {"id", "text", "timestamp", "permalink", "replied_to", "username"}  # of those in "Retrieve User Posts"


@dataclass
class Post:
    """A post as a reader sees it."""

    id: str
    text: str
    parent: str
    at: datetime


@dataclass
class Container:
    """A prepared post, which no reader sees."""

    text: str
    parent: str
    made: datetime
    broken: bool = False
    published: bool = False


@dataclass
class Token:
    """A long-lived token."""

    made: datetime
    expires: datetime
    permissions: set[str] = field(default_factory=lambda: {"read", "publish", "delete"})


class FakeThreadsServer(FakeServer):
    """The Graph API of Threads, with one account.

    Attributes:
        username: The account.
        first: Its first long-lived token.
        tokens: Every valid token.
        processing: How long a container stays `IN_PROGRESS`.
        forgets: A published container is no longer known (exileum/meta-mcp, issue 143), instead of the documented
            `PUBLISHED`.
        hides: Published posts are not listed yet.
        containers: By id.
        posts: What readers see, oldest first.
        renewals: Number of token renewals.
        done: Times of limited actions in the last 24 hours.
    """

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        super().__init__(now=now)
        self._clock = now
        self.username, self.first = "police34", "THAAfirst"
        self.tokens = {self.first: Token(now(), now() + _SIXTY_DAYS)}
        self.processing = timedelta(0)
        self.forgets = self.hides = False
        self.containers: dict[str, Container] = {}
        self.posts: list[Post] = []
        self.renewals = 0
        self.done: dict[str, list[datetime]] = {name: [] for name in _MOST}
        self._numbers = iter(range(18_000_000_000_000_001, 18_000_000_000_999_999))
        routes: Mapping[tuple[str, str], tuple[str, Callable[[RecordedRequest, dict[str, str]], Answer]]] = {
            ("GET", "/v1.0/*"): ("read", self._object),
            ("DELETE", "/v1.0/*"): ("delete", self._delete),
            ("GET", "/v1.0/me"): ("read", self._me),
            ("POST", "/v1.0/me/threads"): ("publish", self._create),
            ("POST", "/v1.0/me/threads_publish"): ("publish", self._publish),
            ("GET", "/v1.0/me/threads"): ("read", self._list),
            ("GET", "/v1.0/me/replies"): ("read", self._list),
        }
        for (method, path), (permission, answer) in routes.items():
            self.on(method, path, lambda request, p=permission, a=answer: self._authorised(request, p, a))
        self.on("GET", "/refresh_access_token", self._refresh)

    def show(self, text: str, parent: str = "") -> None:
        """Publish a post by another way."""
        self.posts.append(Post(self._number(), text, parent, self._clock()))

    def renew(self, token: str) -> None:
        """Issue a new first token, as to a person."""
        self.first = token
        self.tokens[token] = Token(self._clock(), self._clock() + _SIXTY_DAYS)

    # --- tokens

    def _authorised(
        self, request: RecordedRequest, permission: str, answer: Callable[[RecordedRequest, dict[str, str]], Answer]
    ) -> Answer:
        params = _params(request)
        known = self.tokens.get(token := params.pop("access_token", ""))
        if known is None:  # the Graph API repeats such a token
            return _error(190, f"Malformed access token {token}")
        if known.expires <= self._clock():
            return _error(190, "Error validating access token: Session has expired", subcode=463)
        if permission not in known.permissions:
            return _error(10, "Application does not have permission for this action")
        return answer(request, params)

    def _refresh(self, request: RecordedRequest) -> Answer:
        """Renew a token ("Long-Lived Tokens": at least 24 hours old, not expired).

        The document does not state whether the successor differs. Here it does, and the old one stays valid.
        """
        params, now = _params(request), self._clock()
        known = self.tokens.get(token := params.get("access_token", ""))
        if params.get("grant_type") != "th_refresh_token":
            return _error(100, "Invalid parameter: grant_type")
        if known is None or known.expires <= now:
            return _error(190, f"Error validating access token {token}")
        if now - known.made < _DAY:
            return _error(100, "The token is less than 24 hours old")
        self.renewals += 1
        self.tokens[fresh := f"THAAnext{self.renewals}"] = Token(now, now + _SIXTY_DAYS, known.permissions)
        return Answer.json(
            {"access_token": fresh, "token_type": "bearer", "expires_in": int(_SIXTY_DAYS.total_seconds())}
        )

    # --- publishing

    def _create(self, _request: RecordedRequest, params: dict[str, str]) -> Answer:
        """Make a container ("Posts", step 1; "Create Replies", step 1)."""
        text, parent = params.get("text", ""), params.get("reply_to_id", "")
        if unknown := params.keys() - {"media_type", "text", "reply_to_id"}:
            return _error(100, f"Unknown parameters: {sorted(unknown)}")
        if params.get("media_type") != "TEXT" or not text:
            return _error(100, "media_type must be TEXT, and text is required")
        if (length := _length(text)) > _LONGEST:
            return _error(100, f"The text has {length} of {_LONGEST} characters")
        if len(set(re.findall(r"https?://\S+|www\.\S+", text))) > _MOST_LINKS:
            return _error(100, "THREADS_API__LINK_LIMIT_EXCEEDED")
        if parent and not self._post(parent):
            return _not_found(parent)
        self.containers[number := self._number()] = Container(text, parent, self._clock())
        return Answer.json({"id": number})

    def _publish(self, _request: RecordedRequest, params: dict[str, str]) -> Answer:
        """Publish a container ("Posts", step 2). The error of an exhausted limit is not documented."""
        number = params.pop("creation_id", "")
        container = self.containers.get(number)
        if params:
            return _error(100, f"Unknown parameters: {sorted(params)}")
        if container is None or self._status(container) in {"EXPIRED", "ERROR", "IN_PROGRESS"}:
            return _not_found(number)  # gitroomhq/postiz-app, pull request 2047: the answer for one that is not ready
        if container.published:
            raise AssertionError("A container was published twice, for which Threads documents no answer.")
        if container.parent and not self._post(container.parent):
            return _not_found(container.parent)
        if self._too_many("replies" if container.parent else "posts"):
            return _error(17, "User request limit reached")
        container.published = True
        self.show(container.text, container.parent)
        return Answer.json({"id": self.posts[-1].id})

    def _status(self, container: Container) -> str:
        """Return the status of a container ("Troubleshooting", "Publishing Does Not Return a Media ID")."""
        if container.published:
            return "PUBLISHED"
        age = self._clock() - container.made
        if age >= _DAY:
            return "EXPIRED"
        return "ERROR" if container.broken else "IN_PROGRESS" if age < self.processing else "FINISHED"

    # --- reading, deleting

    def _me(self, _request: RecordedRequest, params: dict[str, str]) -> Answer:
        return Answer.json({"id": "17841400000000001", "username": self.username})

    def _object(self, request: RecordedRequest, params: dict[str, str]) -> Answer:
        number, fields = request.path.rpartition("/")[2], set(params.get("fields", "id").split(","))
        if post := self._post(number):
            return Answer.json(self._entity(post, fields)) if fields <= _FIELDS else _no_field(fields - _FIELDS)
        container = self.containers.get(number)
        if container is None:
            return _error(100, "Unsupported get request. Object does not exist", subcode=33)
        if unknown := fields - ({"id"} if self.forgets and container.published else {"id", "status", "error_message"}):
            return _no_field(unknown)
        return Answer.json({"id": number, "status": self._status(container)})

    def _list(self, request: RecordedRequest, params: dict[str, str]) -> Answer:
        """List posts, newest first ("Retrieve User Posts", "Retrieve User Replies")."""
        fields, since = set(params.get("fields", "id").split(",")), float(params.get("since", 0))
        if unknown := fields - _FIELDS:
            return _no_field(unknown)
        replies = request.path.endswith("replies")
        posts = [post for post in self.posts if bool(post.parent) is replies and not self.hides]
        matches = [post for post in reversed(posts) if post.at.timestamp() >= since]
        begin = int(params.get("after", 0))
        page, end = matches[begin : begin + _PAGE], str(begin + _PAGE)
        cursors = {"paging": {"cursors": {"before": str(begin), "after": end}}} if page else {}
        return Answer.json({"data": [self._entity(post, fields) for post in page], **cursors})

    def _entity(self, post: Post, fields: set[str]) -> dict[str, Any]:
        entity = {
            "id": post.id,
            "text": post.text,
            "timestamp": post.at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
            "permalink": f"https://www.threads.com/@{self.username}/post/{post.id}",
            "username": self.username,
            **({"replied_to": {"id": post.parent}} if post.parent else {}),
        }
        return {name: value for name, value in entity.items() if name in fields | {"id"}}

    def _delete(self, request: RecordedRequest, _params: dict[str, str]) -> Answer:
        """Delete a post ("Delete Posts")."""
        if (post := self._post(number := request.path.rpartition("/")[2])) is None:
            return _not_found(number)
        if self._too_many("deletes"):
            return _error(17, "User request limit reached")
        self.posts.remove(post)
        return Answer.json({"success": True, "deleted_id": number})

    # --- helpers

    def _post(self, number: str) -> Post | None:
        return next((post for post in self.posts if post.id == number), None)

    def _number(self) -> str:
        return str(next(self._numbers))

    def _too_many(self, action: str) -> bool:
        now = self._clock()
        self.done[action] = [at for at in self.done[action] if now - at < _DAY]
        if len(self.done[action]) >= _MOST[action]:
            return True
        self.done[action].append(now)
        return False


def _params(request: RecordedRequest) -> dict[str, str]:
    return {name: values[-1] for name, values in (request.query | request.form()).items()}


def _error(code: int, message: str, *, subcode: int | None = None) -> Answer:
    """Return an error (Graph API, "Handling Errors", "Error Responses")."""
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A"}
    if subcode:
        error["error_subcode"] = subcode
    return Answer.json({"error": error | {"error_user_msg": message}}, 400)


def _not_found(number: str) -> Answer:
    return _error(24, f"The media with id {number} cannot be found.", subcode=4279009)


def _no_field(names: set[str]) -> Answer:
    return _error(100, f"Tried accessing nonexisting field ({', '.join(sorted(names))})")


def _length(text: str) -> int:
    """Return the length of a text ("Posts", "Limitations"): emoji in bytes, all else in characters."""
    emoji = regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3|\ufe0f")
    return sum(
        len(grapheme.encode()) if emoji.search(grapheme) else len(grapheme) for grapheme in regex.findall(r"\X", text)
    )
