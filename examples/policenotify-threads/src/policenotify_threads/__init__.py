"""Threads, by Meta's Graph API: a post is made ready, and then published; a doubt is settled by asking for both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import regex
from pydantic import SecretStr

from policenotify.channel import Account, Capabilities, Clock, Post, PostRef, Request, StateStore
from policenotify.errors import Blocked, ChannelError, Refused, SettingsError, Unavailable, Unconfirmed
from policenotify.text import Budget
from policenotify.transport import is_secure_url, without_side_effects
from policenotify_threads._graph import WHERE, Graph

_LONGEST = 500  # Threads API, "Posts", "Limitations"
# The same: "Emojis are counted as the number of UTF-8 bytes". Emoji are those of UTS #51; of other signs beyond U+FFFF
# the document says nothing, so that they are counted as the longer.
_EMOJI = regex.compile(r"[[\p{Extended_Pictographic}\p{Emoji_Component}\U00010000-\U0010FFFF]--[0-9#*]]+", regex.V1)
_SETTLES = timedelta(minutes=1)  # "Troubleshooting": a container's status is to be asked for "once per minute"
_SOON = timedelta(seconds=10)  # ours; "Posts", step 2: publishing is possible after "on average 30 seconds"
_YOUNG = timedelta(minutes=5)  # "Troubleshooting": the status is asked for "for no more than 5 minutes"
_SKEW = timedelta(seconds=30)  # how far our clock may be from Meta's
_FIELDS = "id,text,timestamp,permalink,replied_to"


def length(text: str) -> int:
    """How long Threads takes a text to be."""
    return len(text) + sum(len(found.encode()) - len(found) for found in _EMOJI.findall(text))


class Threads:
    """One account on Threads.

    `prepare` makes a *container*, which no reader sees; its number goes into the request, and `send` publishes it.
    So a container is Meta's own word on whether the post is out, and the same request never makes two.

    Args:
        username: The account's name, such as `police34`; `@` before it is ignored. Whose the token is, is compared.
        token: A long-lived token with the permissions `threads_basic`, `threads_content_publish`,
            `threads_manage_replies`, `threads_read_replies` and `threads_delete`. It is renewed, and kept, by itself.
        server: Where the Graph API is.
        timeout: Seconds to wait for a connection, and again for each piece of an answer.
        clock: Time, handed in.
        keep: Where the token lives, shared by all processes of the installation.

    Raises:
        SettingsError: The token would go over the network in the clear.
    """

    capabilities: Final = (
        Capabilities(  # pictures: none, for Meta takes them from a public address only ("Posts", image_url)
            budget=Budget(_LONGEST, length),
            replies=True,
            lookup_delay=_SETTLES,
            deletes=True,
            hashtags=False,  # "Posts", "Topic Tags": one for each post
        )
    )

    def __init__(
        self,
        *,
        username: str,
        token: SecretStr,
        server: str = "https://graph.threads.net",
        timeout: float = 20.0,
        clock: Clock,
        keep: StateStore,
    ) -> None:
        if not is_secure_url(server):
            raise SettingsError("server: must be https://…, for the token is sent there")
        self.account = username.removeprefix("@").lower()
        self._clock = clock
        self._graph = Graph(server=server, token=token, timeout=timeout, clock=clock, keep=keep)
        self._ours: Account | None = None

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Make the container, under the last of our posts that it answers.

        Raises:
            Refused: It is too long, or Threads does not take it. With `fallback="standalone"`: what it answers is gone.
            ChannelError: Threads could not be asked, or does not accept the token.
        """
        if not self.capabilities.budget.fits(post.text):
            used, limit = self.capabilities.budget.usage(post.text)
            raise Refused(f"The text takes {used} of {limit} characters.", remedy="Shorten it.")
        self._ours = self._ours or self.whoami()
        body = {"media_type": "TEXT", "text": post.text}
        if ours := [ref.id for ref in reply_to if ref.account == self.account]:
            body["reply_to_id"] = ours[-1]
        try:
            container = self._graph.ask("POST", "me/threads", **body)["id"]
        except Refused as error:
            if ours and self._is_gone(ours[-1]):
                raise Refused(
                    "The post that it should answer is gone.", code=error.code, fallback="standalone"
                ) from None
            raise
        made = {"container": str(container), "made_at": self._clock.now().isoformat()}
        return Request(account=self.account, key=post.key, body=body | made)

    def send(self, request: Request) -> PostRef:
        """Publish the container.

        Raises:
            Refused: Threads does not take the post. With `fallback="prepare"`: only the container is no good any more.
            Blocked: Threads does not accept the token, or does not let the account post.
            Unavailable: The container is not ready yet, Threads could not be reached, or asks us to wait.
            Unconfirmed: No readable answer came.
        """
        with without_side_effects(WHERE, "looking whether the post is ready"):
            status = self._status(request)
        if status == "PUBLISHED":  # an earlier attempt, whose answer was lost
            if ref := self._shown(request, datetime.fromisoformat(str(request.body["made_at"]))):
                return ref
            raise Unconfirmed("Threads says that the post is out, but does not show it.", code=status)
        if status in {"ERROR", "EXPIRED"}:
            raise Refused("What was made ready on Threads is of no use any more.", code=status, fallback="prepare")
        if status != "FINISHED":
            raise self._not_yet(request, status)
        try:
            media = self._graph.ask("POST", "me/threads_publish", creation_id=str(request.body["container"]))
        except Refused as error:
            raise (self._not_yet(request, error.code) if error.code.startswith("24/") else error) from None
        if "id" not in media:
            raise Unconfirmed("Threads does not say where the post is.")
        with suppress(ChannelError):  # it is out; only its address is missing
            media = self._graph.ask("GET", str(media["id"]), fields=_FIELDS)
        return self._ref(media)

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """Ask what became of the container, and where it was published look for the post: same text, same parent.

        Raises:
            ChannelError: Threads could not be asked, or does not show yet what it says is out; the doubt stays.
        """
        try:
            return self._found(request, since, known)
        except Refused as error:  # what was refused is the question, not the post
            raise Unavailable("Threads cannot be asked whether the post is out.", code=error.code) from None

    def _found(self, request: Request, since: datetime, known: frozenset[str]) -> PostRef | None:
        status = self._status(request)
        if status in {"FINISHED", "IN_PROGRESS", "ERROR", "EXPIRED"}:
            return None
        ref = self._shown(request, since, known)
        if ref is None and status == "PUBLISHED":
            raise Unavailable("Threads says that the post is out, but does not show it yet.", code=status)
        return ref

    def delete(self, ref: PostRef) -> None:
        """Delete the post ("Delete Posts"; 100 a day); one that is gone already is no error.

        Raises:
            ChannelError: As `send` does.
        """
        if ref.account != self.account:
            raise Refused(f"The post is not one of {self.account}; nothing was deleted.")
        try:
            self._graph.ask("DELETE", ref.id)
        except Refused:
            if not self._is_gone(ref.id):
                raise

    def whoami(self) -> Account:
        """Ask whose the token is, and compare ("Profiles", `GET /me`).

        Raises:
            Blocked: Threads does not accept the token, or it is another account's.
            ChannelError: Threads could not be asked.
        """
        said = self._graph.ask("GET", "me", fields="id,username")
        if str(said.get("username", "")).lower() != self.account:
            raise Blocked(
                f"The token belongs to @{said.get('username')}, not to @{self.account}.",
                remedy="Put the right token or username into the channel's settings, then: policenotify doctor",
            )
        return Account(id=str(said["id"]), name=said["username"], url=f"https://www.threads.com/@{said['username']}")

    def close(self) -> None:
        """Let go of connections. May be called twice."""
        self._graph.close()

    def _ref(self, media: dict[str, Any]) -> PostRef:
        return PostRef(account=self.account, id=str(media["id"]), url=media.get("permalink"))

    def _status(self, request: Request) -> str:
        """What became of the container ("Troubleshooting"); `UNKNOWN` where Threads has none of that number."""
        try:
            return str(self._graph.ask("GET", str(request.body["container"]), fields="status,error_message")["status"])
        except Refused as error:
            if error.code == "100":  # "nonexisting field (status)": it has become a post (exileum/meta-mcp #143)
                return "PUBLISHED"
            return "UNKNOWN"

    def _not_yet(self, request: Request, code: str) -> ChannelError:
        """The container is not ready, or has not arrived where it is to be published from; some never do."""
        now = self._clock.now()
        if now - datetime.fromisoformat(str(request.body["made_at"])) > _YOUNG:
            return Refused("What was made ready on Threads is lost.", code=code, fallback="prepare")
        return Unavailable("Threads is still making the post ready.", retry_at=now + _SOON, code=code)

    def _is_gone(self, post_id: str) -> bool:
        with without_side_effects(WHERE, "looking whether a post is there"):
            try:
                self._graph.ask("GET", post_id, fields="id")
            except Refused:
                return True
            return False

    def _shown(self, request: Request, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """The post with the request's text and parent: the first since then that is not known as another's."""
        parent, found = request.body.get("reply_to_id"), []
        for one in self._own_posts("replies" if parent else "threads", since - _SKEW):
            same_parent = (one.get("replied_to") or {}).get("id") == parent
            if (
                same_parent
                and str(one["id"]) not in known
                and str(one.get("text", "")).split() == str(request.body["text"]).split()
            ):
                found.append(one)
        return self._ref(min(found, key=lambda one: str(one["timestamp"]))) if found else None

    def _own_posts(self, kind: str, since: datetime) -> Iterator[dict[str, Any]]:
        """Our posts, or our replies, since then ("Retrieve User Posts", "Retrieve User Replies"), page by page."""
        more: dict[str, str] | None = {"since": str(int(since.timestamp()))}
        while more:
            page = self._graph.ask("GET", f"me/{kind}", fields=_FIELDS, **more)
            yield from page["data"]
            after = page.get("paging", {}).get("cursors", {}).get("after")
            more = {**more, "after": after} if after and page["data"] else None
