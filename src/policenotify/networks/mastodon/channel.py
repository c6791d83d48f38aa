"""Mastodon, and servers that speak its API: posts under a key of ours, in threads, with pictures, edits and deletes."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import ClassVar

from pydantic import SecretStr

from policenotify.channel import Account, Capabilities, Clock, Post, PostRef, Request, StateStore
from policenotify.errors import Blocked, ChannelError, Refused, SettingsError, Unavailable, Unconfirmed
from policenotify.model.lifecycle import Stage
from policenotify.networks._http import is_connected, newest_connected
from policenotify.networks.mastodon.client import Answer, Api, judge, without_side_effects
from policenotify.networks.mastodon.instance import (
    Instance,
    Instances,
    check_categories,
    check_token,
    content_warning_lines,
    server_address,
    username,
)
from policenotify.networks.mastodon.post import VISIBILITY, Pictures, Visibility, check, is_id, media_of, ref_of, status
from policenotify.networks.mastodon.timeline import MISSING, Statuses, Timeline
from policenotify.text import graphemes

_ARGUMENTS = ("in_reply_to_id", "visibility", "spoiler_text", "language", "idempotency_key")


class Mastodon:
    """One account on a server that speaks Mastodon's API.

    A post goes out under an `Idempotency-Key` that follows from the post itself: said again within the hour, Mastodon
    makes no second one. Other servers (GoToSocial, snac, takahe) ignore the key; what a server runs and how much it
    takes is read from it once a day. In doubt a post is looked up on the account's own timeline.

    Args:
        server: The server, such as `https://social.example`; `http://` only on the loopback.
        handle: The account's name there, such as `police34`; `@` before it and the domain behind it are ignored.
        token: An access token of this account, with the scopes `read:accounts`, `read:statuses`, `write:statuses` and
            `write:media` (Settings, Development).
        visibility: Who sees a post, by stage: `public`, `unlisted` (not on the server's public timeline, and not found
            by its hashtags) or `private` (followers only). Else updates are unlisted, and all others public.
        content_warnings: By category: a line that stands above the post and folds it away until readers click. For
            what may shock; never for a warning that people must see.
        sensitive: Categories whose pictures are shown on a click only.
        timeout: Seconds to wait for each piece of an answer; for a connection, 5 at the most.
        clock: Time, handed in.
        keep: Where the server's limits are kept, and what was posted.

    Raises:
        SettingsError: An option cannot be right.
        MissingExtra: Mastodon.py is not installed.
    """

    discovers_capabilities = True
    default_capabilities: ClassVar[Capabilities] = Instance(software="mastodon", major=4).capabilities("")

    def __init__(
        self,
        *,
        server: str,
        handle: str,
        token: SecretStr,
        visibility: dict[Stage, Visibility] | None = None,
        content_warnings: dict[str, str] | None = None,
        sensitive: tuple[str, ...] = (),
        timeout: float = 20.0,
        clock: Clock,
        keep: StateStore,
    ) -> None:
        url, self._host = server_address(server)
        self._handle = username(handle)
        check_token(token.get_secret_value())
        if not timeout > 0:
            raise SettingsError("timeout: must be a number of seconds above 0")
        check_categories("sensitive", sensitive)
        self._visibility = {**VISIBILITY, **(visibility or {})}
        self._warnings = content_warning_lines(content_warnings or {})
        self._longest_warning = max(self._warnings.values(), key=graphemes, default="")
        self._sensitive = frozenset(sensitive)
        self._clock = clock
        self._api = Api(url, token, timeout)
        self._seal = hashlib.sha256(f"{self.account} {token.get_secret_value()}".encode()).hexdigest()
        self._instances = Instances(self._api, clock, keep)
        self._statuses = Statuses(self._api, self._instances, clock)
        self._pictures = Pictures(self._api, clock)
        self._timeline = Timeline(
            account=self.account,
            handle=self._handle,
            api=self._api,
            instances=self._instances,
            clock=clock,
            keep=keep,
        )

    def __repr__(self) -> str:
        return f"Mastodon({self.account})"

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do, as far as it is known: at first 500 characters, four pictures, and no key kept."""
        return self._instances.known().capabilities(self._longest_warning)

    @property
    def account(self) -> str:
        """`handle@host`, in small letters. The host is the server's, also where handles there end in another domain."""
        return f"{self._handle}@{self._host}"

    def prepare(self, post: Post, answers: tuple[PostRef, ...]) -> Request:
        """Make sure whose the token is, learn the server's limits, upload the pictures, and freeze what will be said.

        It answers the newest of our posts whose thread is whole. Answers from another account are passed over: the
        post then starts a thread.

        Raises:
            Refused: The post is outside the server's limits; the text names the numbers. With `fallback="standalone"`:
                all that it could answer has been deleted.
            Blocked: The server does not accept the token, it is another account's, or the account may not post.
            Unavailable: The server could not be asked.
        """
        warning = self._warnings.get(post.category, "")
        check(post, self._instances.current(), warning)
        self._timeline.check_owner(self._seal)
        parent = self._parent([ref for ref in answers if ref.account == self.account and is_id(ref.id)])
        media = [self._pictures.upload(picture) for picture in post.pictures]
        body = status(
            post,
            visibility=self._visibility[post.stage],
            warning=warning,
            sensitive=post.category in self._sensitive,
            parent=parent,
            media=media,
        )
        return Request(account=self.account, key=post.key, body=body)

    def send(self, request: Request) -> PostRef:
        """Post it, under its key.

        Raises:
            Refused: The server refused the post. With `fallback="prepare"`: only its pictures are gone, or what it
                answers has been deleted since it was prepared.
            Blocked: The server does not accept the token, or the account may not post.
            Unavailable: The server could not be reached, or asks us to wait.
            Unconfirmed: No readable answer came.
        """
        body = request.body
        parent = body.get("in_reply_to_id")
        if is_id(parent):
            with without_side_effects("looking for the post to answer"):
                there = is_connected(str(parent), self._statuses.parent_of)
            if not there:
                raise _deleted_parent()
        answer = self._api.ask(
            "status_post",
            body["status"],
            media_ids=[one["id"] for one in media_of(body)] or None,
            sensitive=body.get("sensitive"),  # None: as the account is set; the library's default would overrule it
            **{name: body[name] for name in _ARGUMENTS if name in body},
        )
        if not answer.ok:
            return self._not_posted(request, answer)
        ref = self._ref(answer)
        if self._was_swallowed(ref):
            raise Refused(
                "The server said yes, but has not published the post: its spam filter drops such posts without a word.",
                code="200",
                remedy="Ask the server's administrators, then publish it again with another key.",
            )
        self._timeline.remember(ref, request.key)
        return ref

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """Look the post up on our own timeline, by its pictures or its text.

        Raises:
            Unavailable: The timeline could not be read; the doubt stays.
            Blocked: The server does not accept the token, or it is another account's.
        """
        return self._timeline.find(request, since=since, known=known)

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        """Replace the post. Its language, who sees it, and what it answers stay as they are.

        Readers who shared it are told; others see the new version, and that it was edited.

        Raises:
            ChannelError: As `send` does.
        """
        self._check_ours(ref, "edited")
        body, media = request.body, media_of(request.body)
        # All of it is said again: the server takes away what an edit leaves out. Ids go in with the descriptions:
        # given both apart, the library fails.
        again = {name: body[name] for name in ("spoiler_text", "sensitive") if name in body}
        answer = self._api.ask("status_update", ref.id, body["status"], media_attributes=media or None, **again)
        if answer.missing:
            raise Refused("The post is no longer there; nothing was edited.", code=str(answer.status))
        if not answer.ok:
            self._pictures.check(media, answer)
            raise judge(answer, now=self._clock.now())
        return self._ref(answer)

    def delete(self, ref: PostRef) -> None:
        """Delete the post and its pictures; one that is gone already is no error. Copies elsewhere may stay.

        Raises:
            ChannelError: As `send` does.
        """
        self._check_ours(ref, "deleted")
        answer = self._api.ask("status_delete", ref.id, delete_media=True)
        if answer.status in MISSING:
            if self._statuses.gone(ref.id):
                return
            # snac answers so for every post
            raise Refused("The server cannot delete posts.", code="404", remedy="Delete it on the server's website.")
        if not answer.ok:
            raise judge(answer, now=self._clock.now(), whole_channel=False)

    def whoami(self) -> Account:
        """Ask whose the token is, and read the server's limits.

        Raises:
            Blocked: The server does not accept the token, or it is another account's.
            Unavailable: It could not be asked.
        """
        said = self._timeline.owner()
        self._instances.current()
        url = said.get("url")
        return Account(id=str(said["id"]), name=said["username"], url=url if isinstance(url, str) else None)

    def close(self) -> None:
        """Let go of connections. May be called twice."""
        self._api.close()

    def _parent(self, thread: list[PostRef]) -> PostRef | None:
        with without_side_effects("looking for the post to answer"):
            newest = newest_connected(thread, self._statuses.parent_of)
        if thread and newest is None:
            raise Refused(
                "The posts that it should answer have been deleted.",
                code="404",
                remedy="It is posted on its own instead.",
                fallback="standalone",
            )
        return newest

    def _ref(self, answer: Answer) -> PostRef:
        ref = ref_of(self.account, answer.object)
        if ref is None:
            raise Unconfirmed("Mastodon's answer does not say where the post is.", code=str(answer.status))
        return ref

    def _check_ours(self, ref: PostRef, done: str) -> None:
        if ref.account != self.account or not is_id(ref.id):
            raise Refused(f"The post is not one of {self.account}; nothing was {done}.")

    def _was_swallowed(self, ref: PostRef) -> bool:
        """Whether the post is not there, though its answer was good: Mastodon's spam filter invents a status."""
        if self._instances.known().software != "mastodon":
            return False
        try:
            return self._statuses.gone(ref.id)
        except ChannelError:  # that it cannot be seen now says nothing: the answer was good
            return False

    def _not_posted(self, request: Request, answer: Answer) -> PostRef:
        """What an answer means that is no success; where the post is, if an earlier attempt brought it out."""
        now, code, parent = self._clock.now(), str(answer.status), request.body.get("in_reply_to_id")
        if answer.refused and answer.status in {400, 404, 410, 422} and is_id(parent) and self._is_gone(str(parent)):
            raise _deleted_parent()
        # Mastodon 4.6.0 to 4.6.5 answer 500 to a key that they know, and any Mastodon 404 where its post was deleted.
        if (answer.status == 500 or answer.missing) and (ref := self._out_already(request)) is not None:  # noqa: PLR2004 - RFC 9110, 15.6.1
            return ref
        if answer.missing and self._instances.known().software == "mastodon":
            raise Refused("It was published before, and has been deleted on Mastodon since.", code=code)
        self._pictures.check(media_of(request.body), answer)
        raise judge(answer, now=now)

    def _out_already(self, request: Request) -> PostRef | None:
        try:
            said_at = datetime.fromisoformat(str(request.body["said_at"]))
            # It knows by itself what is out under other keys.
            return self._timeline.find(request, since=said_at, just_now=True)
        except (Blocked, Unavailable) as error:  # true of the question, not of the post
            unanswered = error
        raise Unconfirmed(unanswered.reason, code=unanswered.code)

    def _is_gone(self, parent: str) -> bool:
        with without_side_effects("looking for the post to answer"):  # the post was refused all the same
            return self._statuses.gone(parent)


def _deleted_parent() -> Refused:
    return Refused(
        "The post that it should answer, or one above that, has been deleted.",
        code="404",
        remedy="It is prepared again without that post.",
        fallback="prepare",
    )
