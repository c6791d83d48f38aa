"""Mastodon, and servers that speak its API."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import StringConstraints, field_validator

from policenotify.channel import Account, Capabilities, Post, PostRef, Request, Services
from policenotify.errors import ChannelError, Refused, SettingsError, Unavailable, Unconfirmed
from policenotify.model.lifecycle import Stage
from policenotify.networks._http import HttpAnswer, deleted_parent, is_connected, newest_connected
from policenotify.networks.mastodon.api import Api, is_id, without_side_effects
from policenotify.networks.mastodon.instance import Instance
from policenotify.networks.mastodon.post import (
    VISIBILITY,
    StatusBody,
    Visibility,
    check,
    ref_of,
    upload,
)
from policenotify.networks.options import CallSeconds, ChannelOptions, Handle, Secret, SecureUrl
from policenotify.translation import Text

_HANDLE: Final = re.compile(r"@?([a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)(?:@[^@\s]+)?", re.IGNORECASE)
_PAGE: Final = 40  # the most that a server gives at once
_MOST_PAGES: Final = 25
_MARGIN: Final = timedelta(seconds=30)  # the server's clock is known in whole seconds; its database may have another
_LAG: Final = 2.0  # seconds: a database's copy may be so far behind
_ARGUMENTS = {"in_reply_to_id", "visibility", "spoiler_text", "language", "idempotency_key"}

Category = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
ContentWarning = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Mastodon:
    """One account on a server that speaks Mastodon's API.

    A post has an `Idempotency-Key` that follows from the post itself: sent again within the hour, it is not made twice.
    Other servers (GoToSocial) ignore the key. A server's software and limits are read from it once a day. A post in
    doubt is looked up on the account's own timeline.

    Raises:
        MissingExtra: Mastodon.py is not installed.
    """

    discovers_capabilities = True
    default_capabilities: ClassVar[Capabilities] = Instance(major=4).capabilities

    class Options(ChannelOptions):
        """An account on a server."""

        server: SecureUrl
        """The server, such as `https://social.example`, or `http://` on the loopback."""
        handle: Handle
        """The account's name there, such as `police34`. `@` before it and the domain behind it are ignored."""
        token: Secret
        """An access token of this account, with the scopes `read:accounts`, `read:statuses`, `write:statuses` and
        `write:media` (Settings, Development)."""
        visibility: dict[Stage, Visibility] = {}  # noqa: RUF012 - pydantic copies it
        """Who sees a post, by stage: `public`, `unlisted` (not on the server's public timeline, and not found by its
        hashtags) or `private` (followers only). By default updates are unlisted, and all others public."""
        content_warnings: dict[Category, ContentWarning] = {}  # noqa: RUF012 - pydantic copies it
        """By category: a line that stands above the post and folds it away until readers click. For what may shock,
        never for a warning that people must see."""
        sensitive: tuple[Category, ...] = ()
        """Categories whose pictures are shown on a click only."""
        timeout: CallSeconds = 20.0
        """Seconds to wait for the answer. For a connection, 5 at the most."""

        @field_validator("server")
        @classmethod
        def _is_host(cls, server: str) -> str:
            parts = urlsplit(server)
            if parts.path or parts.query or parts.fragment:
                raise SettingsError(Text("must be https://… and a host alone: the token is sent there"))
            return f"{parts.scheme}://{parts.netloc}"

        @field_validator("handle")
        @classmethod
        def _is_name(cls, handle: str) -> str:
            match = _HANDLE.fullmatch(handle)
            if not match:
                raise SettingsError(Text("must be the account's name on the server, such as 'police34'"))
            return match[1].lower()

    def __init__(self, options: Options, services: Services) -> None:
        # Of the server's host: handles there may end in another domain.
        self.account: str = f"{options.handle}@{urlsplit(options.server).netloc.lower()}"
        self._visibility = {**VISIBILITY, **options.visibility}
        self._warnings, self._sensitive = options.content_warnings, options.sensitive
        self._api = Api(
            self.account,
            handle=options.handle,
            server=options.server,
            token=options.token,
            timeout=options.timeout,
            services=services,
        )

    @property
    def capabilities(self) -> Capabilities:
        """The known ones. At first 500 characters with whole addresses, four pictures, and no key."""
        known, longest = self._api.known().capabilities, max(map(len, self._warnings.values()), default=0)
        return replace(known, budget=replace(known.budget, limit=known.budget.limit - longest))

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Verify the token's owner, upload the pictures, and freeze the status.

        It replies to the newest of our posts whose thread is complete. Posts of another account are not replied to. See
        `Channel.prepare`.

        Raises:
            Refused: The post is outside the server's limits. With `fallback="standalone"`: all that it could reply to
                has been deleted.
        """
        warning = self._warnings.get(post.category, "")
        check(post, self._api.current(), warning)
        self._api.number()
        thread = [ref for ref in reply_to if ref.account == self.account and is_id(ref.id)]
        with without_side_effects(Text("looking for the post to answer")):
            parent = newest_connected(thread, self._parent_of, code="404")
        status = StatusBody(
            status=post.text,
            visibility=self._visibility[post.stage],
            language=post.language.partition("-")[0].lower(),
            idempotency_key=hashlib.sha256(f"{post.key}:{post.variant}".encode()).hexdigest(),
            spoiler_text=warning,
            # The server forces it with a warning. An edit that leaves it out would undo that.
            sensitive=True if warning or post.category in self._sensitive else None,
            in_reply_to_id=parent.id if parent else None,
            media=tuple(upload(picture, self._api) for picture in post.pictures),
        )
        return Request(account=self.account, key=post.key, body=status.model_dump(mode="json", exclude_defaults=True))

    def send(self, request: Request) -> PostRef:
        """Post it, with its key. See `SupportsSend.send`.

        Raises:
            Refused: With `fallback="prepare"`: perhaps only its pictures are gone, or the post that it replies to has
                been deleted since it was prepared.
        """
        status = StatusBody.model_validate(request.body)
        self._check_thread(status)
        answer = self._api.ask(
            "status_post",
            status.status,
            media_ids=[each.id for each in status.media] or None,
            sensitive=status.sensitive,  # None: as the account is set; the library's default would overrule it
            **status.model_dump(mode="json", include=_ARGUMENTS, exclude_defaults=True),
        )
        if not answer.ok:
            raise self._refusal(status, answer)
        ref = self._ref(answer)
        if self._is_hidden(ref):
            raise Unconfirmed(
                Text("The server accepted the post, but does not show it. A spam filter drops posts silently."),
                code="200",
                remedy=Text("If it is not found later, ask the server's administrators."),
            )
        return ref

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """Look the post up on our own timeline.

        Mastodon shows no key of a post, so it is recognised by its pictures or its text. Of several posts that read
        alike it is the oldest one that the journal does not know. The others may be of deliveries that were first tried
        later, whose look-up does not reach back to this one. See `SupportsLookup.find`.

        The server is asked first whose the token is: for a token that it has forgotten it shows the public posts only,
        and none of a suspended account (Mastodon's source, `authorize_if_got_token!`). A post that is not among them
        may be there.
        """
        status = StatusBody.model_validate(request.body)
        match: PostRef | None = None
        with without_side_effects(Text("looking the post up")):
            owner = str(self._api.owner()["id"])
            for shown, ref in self._since(owner, since):
                if ref.id not in known and self._is(status, shown):
                    match = ref
        return match

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        """Replace the post. See `SupportsEdit.edit`.

        Language, visibility and parent stay as they are. Readers who shared it are notified. Others see the new
        version, and that it was edited.
        """
        self._check_ours(ref, Text("The post is not one of {account}; nothing was edited.", account=self.account))
        status = StatusBody.model_validate(request.body)
        # The server takes away what an edit leaves out. Ids go in with the descriptions: given both apart, the library
        # fails.
        answer = self._api.ask(
            "status_update",
            ref.id,
            status.status,
            media_attributes=[each.model_dump() for each in status.media] or None,
            **status.model_dump(include={"spoiler_text", "sensitive"}, exclude_defaults=True),
        )
        if answer.missing:
            raise Refused(Text("The post is no longer there; nothing was edited."), code=answer.code)
        if not answer.ok:
            raise self._api.error(answer)
        return self._ref(answer)

    def delete(self, ref: PostRef) -> None:
        """Delete the post and its pictures. See `SupportsDelete.delete`.

        Copies on other servers may stay.

        Raises:
            Refused: The server shows the post, and does not know how to delete it.
        """
        self._check_ours(ref, Text("The post is not one of {account}; nothing was deleted.", account=self.account))
        answer = self._api.ask("status_delete", ref.id, delete_media=True)
        if answer.status in {404, 410}:
            if not self._is_deleted(ref.id):
                raise Refused(
                    Text("The server does not delete posts for programs; the post is still there."),
                    remedy=Text("Delete it on the server's website."),
                    code=answer.code,
                )
        elif not answer.ok:
            raise self._api.error(answer, whole_channel=False)

    def whoami(self) -> Account:
        """Ask whose the token is, and read the server's limits. See `Channel.whoami`."""
        owner = self._api.owner()
        self._api.current()
        url = owner.get("url")
        return Account(id=str(owner["id"]), name=owner["username"], url=url if isinstance(url, str) else None)

    def close(self) -> None:
        """See `Channel.close`."""
        self._api.close()

    def _ref(self, answer: HttpAnswer) -> PostRef:
        ref = ref_of(self.account, answer.object)
        if ref is None:
            raise Unconfirmed(Text("Mastodon's answer does not name the post."), code=answer.code)
        return ref

    def _check_ours(self, ref: PostRef, reason: Text) -> None:
        if ref.account != self.account or not is_id(ref.id):
            raise Refused(reason)

    def _check_thread(self, status: StatusBody) -> None:
        """Raise if a post above was deleted since `prepare`.

        Mastodon refuses such a reply, and makes the replies of a deleted post stand alone. Other servers accept one
        that no reader finds.
        """
        if status.in_reply_to_id is None or self._api.known().major:
            return
        with without_side_effects(Text("looking for the post to answer")):
            connected = is_connected(status.in_reply_to_id, self._parent_of, set())
        if not connected:
            raise deleted_parent("404")

    def _is_hidden(self, ref: PostRef) -> bool:
        """Return True if Mastodon does not show a post: its spam filter invents statuses, and a copy may be late."""
        try:
            return bool(self._api.known().major) and self._is_deleted(ref.id)
        except ChannelError:  # that it cannot be read now proves nothing: the answer was good
            return False

    def _refusal(self, status: StatusBody, answer: HttpAnswer) -> ChannelError:
        """Return the error of a post that was not accepted."""
        if answer.refused and answer.status in {400, 404, 410, 422} and status.in_reply_to_id is not None:
            with without_side_effects(Text("looking for the post to answer")):  # the post was refused all the same
                deleted = self._is_deleted(status.in_reply_to_id)
            if deleted:
                return deleted_parent("404")
        if answer.missing and self._api.known().major:  # its answer to a key that it knows
            return Refused(Text("It was published before, and has been deleted on Mastodon since."), code=answer.code)
        error = self._api.error(answer)
        if isinstance(error, Refused) and status.media:  # it may be about the pictures alone
            error.fallback = "prepare"
        return error

    # --- our timeline

    def _parent_of(self, status: str) -> str | None:
        """Return the id of a status's parent, or `None` for the first of a thread.

        A missing one is asked for twice, as a copy may be late.

        Raises:
            LookupError: There is no such status, or no longer.
        """
        answer = self._api.ask("status", status)
        if answer.missing:
            self._api.clock.sleep(_LAG)
            answer = self._api.ask("status", status)
        if answer.missing:
            raise LookupError(status)
        if not answer.ok or answer.object.get("id") != status:
            raise self._reading_error(answer)
        parent = answer.object.get("in_reply_to_id")
        return parent if isinstance(parent, str) else None

    def _is_deleted(self, status: str) -> bool:
        """Return True if there is no such status, or no longer."""
        try:
            self._parent_of(status)
        except LookupError:
            return True
        return False

    def _since(self, owner: str, since: datetime) -> Iterator[tuple[Mapping[str, Any], PostRef]]:
        """Yield our statuses, newest first, back to that time."""
        until: str | None = None
        for _ in range(_MOST_PAGES):
            answer = self._api.ask("account_statuses", owner, exclude_reblogs=True, limit=_PAGE, max_id=until)
            if not (answer.ok and isinstance(answer.body, list)):
                raise self._reading_error(answer)
            begin, last = since + answer.clock_skew(self._api.clock.now()) - _MARGIN, until
            for shown in answer.body:
                ref = ref_of(self.account, shown) if isinstance(shown, dict) else None
                at = _time(shown.get("created_at")) if ref is not None else None
                if ref is None or at is None:
                    raise Unavailable(Text("Mastodon shows our posts in a form that we cannot read."), code="200")
                if at < begin:
                    return
                until = ref.id
                if not shown.get("reblog"):
                    yield shown, ref
            if until == last:  # the end, or the server knows no pages
                return
        raise Unavailable(
            Text(
                "More than {page} posts have been made from this account since; the post was not found.",
                page=_PAGE * _MOST_PAGES,
            ),
            remedy=Text("Look for it on the server's website, then: policenotify resolve"),
        )

    def _is(self, status: StatusBody, shown: Mapping[str, Any]) -> bool:
        certain = status.may_be(shown, ids_stay=bool(self._api.known().major))
        if certain is not None:
            return certain
        return status.reads_as(self._first_version(shown) if shown.get("edited_at") else shown)

    def _first_version(self, shown: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a status as it was before a person edited it."""
        answer = self._api.ask("status_history", shown["id"])
        if not (answer.ok or answer.missing):
            raise self._reading_error(answer)
        versions = answer.body
        return versions[0] if isinstance(versions, list) and versions and isinstance(versions[0], dict) else shown

    def _reading_error(self, answer: HttpAnswer) -> ChannelError:
        """Return the error for a failed reading. What is refused here is not the post."""
        error = self._api.error(answer)
        if isinstance(error, Refused) or answer.status == HTTPStatus.FORBIDDEN:  # it may still post
            return Unavailable(error.reason, code=error.code, remedy=error.remedy)
        return error


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
