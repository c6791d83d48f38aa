"""Threads, by Meta's Graph API: posts are prepared as containers, and then published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import regex

from policenotify.channel import Account, Capabilities, Post, PostRef, Request, Services
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks.options import CallSeconds, ChannelOptions, Handle, Secret, SecureUrl
from policenotify.text import Budget
from policenotify.transport import without_side_effects
from policenotify_threads._graph import WHERE, Graph

_LONGEST = 500  # Threads API, "Posts", "Limitations"
# "Emojis are counted as the number of UTF-8 bytes". Emoji are those of UTS #51. Others beyond U+FFFF
# are counted as bytes, too, because the document does not mention them.
_EMOJI = regex.compile(r"[[\p{Extended_Pictographic}\p{Emoji_Component}\U00010000-\U0010FFFF]--[0-9#*]]+", regex.V1)
_LOOKUP_DELAY = timedelta(minutes=1)  # "Troubleshooting": a container's status is to be asked for "once per minute"
_RETRY_DELAY = timedelta(
    seconds=10
)  # our choice; "Posts", step 2: publishing is possible after "on average 30 seconds"
_MAX_PROCESSING = timedelta(minutes=5)  # "Troubleshooting": the status is asked for "for no more than 5 minutes"
_CLOCK_TOLERANCE = timedelta(seconds=30)
_FIELDS = "id,text,timestamp,permalink,replied_to"


def length(text: str) -> int:
    """Return the length of a text as Threads counts it."""
    return len(text) + sum(len(emoji.encode()) - len(emoji) for emoji in _EMOJI.findall(text))


class Threads:
    """One account on Threads.

    `prepare` makes a *container*, which no reader sees. Its id is part of the request, and `send` publishes it. So Meta
    can be asked whether the post is published, and the same request never publishes twice.
    """

    # No pictures: Meta loads them from a public URL ("Posts", image_url).
    capabilities: Final = Capabilities(
        budget=Budget(_LONGEST, length),
        replies=True,
        lookup_delay=_LOOKUP_DELAY,
        deletes=True,
        hashtags=False,  # "Posts", "Topic Tags": one for each post
    )

    class Options(ChannelOptions):
        """The options of a channel in the settings."""

        username: Handle
        """The account's name, such as `police34`, also with `@`. The owner of the token is compared with it."""
        token: Secret
        """A long-lived token with the permissions `threads_basic`, `threads_content_publish`, `threads_manage_replies`,
        `threads_read_replies` and `threads_delete`. It is renewed automatically."""
        server: SecureUrl = "https://graph.threads.net"
        """The URL of the Graph API."""
        timeout: CallSeconds = 20.0
        """Seconds to wait for a connection, and again for each part of an answer."""

    def __init__(self, options: Options, services: Services) -> None:
        self.account = options.username.lower()
        self._clock = services.clock
        self._graph = Graph(
            server=options.server,
            token=options.token,
            timeout=options.timeout,
            clock=services.clock,
            store=services.store,
        )
        self._checked: Account | None = None

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Make the container, as a reply to the last of our posts.

        Raises:
            Refused: The text is too long, or Threads rejects it. With `fallback="standalone"`: the parent is deleted.
            ChannelError: Threads could not be reached, or rejects the token.
        """
        if not self.capabilities.budget.fits(post.text):
            used, limit = self.capabilities.budget.usage(post.text)
            raise Refused(f"The text takes {used} of {limit} characters.", remedy="Shorten it.")
        self._checked = self._checked or self.whoami()
        body = {"media_type": "TEXT", "text": post.text}
        if parents := [ref.id for ref in reply_to if ref.account == self.account]:
            body["reply_to_id"] = parents[-1]
        try:
            container = self._graph.ask("POST", "me/threads", **body)["id"]
        except Refused as error:
            if parents and self._is_gone(parents[-1]):
                raise Refused("The post to reply to is deleted.", code=error.code, fallback="standalone") from None
            raise
        upload = {"container": str(container), "made_at": self._clock.now().isoformat()}
        return Request(account=self.account, key=post.key, body=body | upload)

    def send(self, request: Request) -> PostRef:
        """Publish the container.

        Raises:
            Refused: Threads rejects the post. With `fallback="prepare"`: only the container has become invalid.
            Blocked: Threads rejects the token, or does not let the account post.
            Unavailable: The container is not ready, or Threads could not be reached or asks us to wait.
            Unconfirmed: No readable answer came.
        """
        with without_side_effects(WHERE, "checking whether the post is ready"):
            status = self._status(request)
        if status == "PUBLISHED":  # an earlier attempt, whose answer was lost
            if ref := self._find_listed(request, datetime.fromisoformat(str(request.body["made_at"]))):
                return ref
            raise Unconfirmed("Threads reports the post as published, but does not list it.", code=status)
        if status in {"ERROR", "EXPIRED"}:
            raise Refused("The prepared post on Threads has expired or failed.", code=status, fallback="prepare")
        if status != "FINISHED":
            raise self._not_yet(request, status)
        try:
            media = self._graph.ask("POST", "me/threads_publish", creation_id=str(request.body["container"]))
        except Refused as error:
            raise (self._not_yet(request, error.code) if error.code.startswith("24/") else error) from None
        if "id" not in media:
            raise Unconfirmed("Threads returned no id of the post.")
        with suppress(ChannelError):  # it is published; only its URL is missing
            media = self._graph.ask("GET", str(media["id"]), fields=_FIELDS)
        return self._ref(media)

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """Return the state of the container, and if it was published the post with the same text and parent.

        Raises:
            ChannelError: Threads could not be asked, or does not list yet what it reports as published.
        """
        try:
            return self._find(request, since, known)
        except Refused as error:  # the lookup was refused, not the post
            raise Unavailable("Threads refused the lookup of the post.", code=error.code) from None

    def _find(self, request: Request, since: datetime, known: frozenset[str]) -> PostRef | None:
        status = self._status(request)
        if status in {"FINISHED", "IN_PROGRESS", "ERROR", "EXPIRED"}:
            return None
        ref = self._find_listed(request, since, known)
        if ref is None and status == "PUBLISHED":
            raise Unavailable("Threads reports the post as published, but does not list it yet.", code=status)
        return ref

    def delete(self, ref: PostRef) -> None:
        """Delete the post ("Delete Posts", 100 a day). One that is already deleted is not an error.

        Raises:
            ChannelError: As in `send`.
        """
        if ref.account != self.account:
            raise Refused(f"The post is not one of {self.account}; nothing was deleted.")
        try:
            self._graph.ask("DELETE", ref.id)
        except Refused:
            if not self._is_gone(ref.id):
                raise

    def whoami(self) -> Account:
        """Return the owner of the token ("Profiles", `GET /me`).

        Raises:
            Blocked: Threads rejects the token, or it belongs to another account.
            ChannelError: Threads could not be asked.
        """
        owner = self._graph.ask("GET", "me", fields="id,username")
        if str(owner.get("username", "")).lower() != self.account:
            raise Blocked(
                f"The token belongs to @{owner.get('username')}, not to @{self.account}.",
                remedy="Put the right token or username into the channel's settings, then: policenotify doctor",
            )
        return Account(id=str(owner["id"]), name=owner["username"], url=f"https://www.threads.com/@{owner['username']}")

    def close(self) -> None:
        """Close connections. May be called twice."""
        self._graph.close()

    def _ref(self, media: dict[str, Any]) -> PostRef:
        return PostRef(account=self.account, id=str(media["id"]), url=media.get("permalink"))

    def _status(self, request: Request) -> str:
        """Return the status of the container ("Troubleshooting"), or `UNKNOWN` if Threads has none with this id."""
        try:
            return str(self._graph.ask("GET", str(request.body["container"]), fields="status,error_message")["status"])
        except Refused as error:
            if error.code == "100":  # "nonexisting field (status)": it has become a post (exileum/meta-mcp #143)
                return "PUBLISHED"
            return "UNKNOWN"

    def _not_yet(self, request: Request, code: str) -> ChannelError:
        """Return the error of a container that is not ready, or unknown on the publishing server. Some never arrive."""
        now = self._clock.now()
        if now - datetime.fromisoformat(str(request.body["made_at"])) > _MAX_PROCESSING:
            return Refused("The prepared post on Threads is lost.", code=code, fallback="prepare")
        return Unavailable("Threads is still processing the post.", retry_at=now + _RETRY_DELAY, code=code)

    def _is_gone(self, post_id: str) -> bool:
        with without_side_effects(WHERE, "checking whether a post exists"):
            try:
                self._graph.ask("GET", post_id, fields="id")
            except Refused:
                return True
            return False

    def _find_listed(self, request: Request, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """Return the first post with the request's text and parent since then that is not *known* as another one."""
        parent, matches = request.body.get("reply_to_id"), []
        for post in self._own_posts("replies" if parent else "threads", since - _CLOCK_TOLERANCE):
            same_parent = (post.get("replied_to") or {}).get("id") == parent
            if (
                same_parent
                and str(post["id"]) not in known
                and str(post.get("text", "")).split() == str(request.body["text"]).split()
            ):
                matches.append(post)
        return self._ref(min(matches, key=lambda post: str(post["timestamp"]))) if matches else None

    def _own_posts(self, kind: str, since: datetime) -> Iterator[dict[str, Any]]:
        """Yield our posts or replies since then ("Retrieve User Posts", "Retrieve User Replies"), page by page."""
        more: dict[str, str] | None = {"since": str(int(since.timestamp()))}
        while more:
            page = self._graph.ask("GET", f"me/{kind}", fields=_FIELDS, **more)
            yield from page["data"]
            after = page.get("paging", {}).get("cursors", {}).get("after")
            more = {**more, "after": after} if after and page["data"] else None
