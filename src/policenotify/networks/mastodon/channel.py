"""Mastodon, and servers that speak its API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from policenotify.channel import Account, Capabilities, Clock, Post, PostRef, Request, StateStore
from policenotify.errors import (
    ChannelError,
    Refused,
    SettingsError,
    Unconfirmed,
    forget_locals_of,
)
from policenotify.model.lifecycle import Stage
from policenotify.networks._http import HttpAnswer, deleted_parent, fingerprint, newest_connected
from policenotify.networks.mastodon.api import Api
from policenotify.networks.mastodon.instance import Instance, InstanceCache
from policenotify.networks.mastodon.post import (
    VISIBILITY,
    StatusBody,
    Visibility,
    check,
    check_media,
    is_id,
    ref_of,
    upload,
)
from policenotify.networks.mastodon.rules import without_side_effects
from policenotify.networks.mastodon.timeline import Timeline
from policenotify.text import graphemes
from policenotify.transport import is_loopback

_HANDLE: Final = re.compile(r"@?([a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)(?:@[^@\s]+)?", re.IGNORECASE)
_CATEGORY: Final = re.compile(r"[a-z][a-z0-9_]*")
_TOKEN: Final = re.compile(r"[!-~]+")  # wider than RFC 6750, section 2.1: not every server keeps to it
_LONGEST_WARNING: Final = 100  # characters of a content warning: it counts with the post, and must leave space for it
_ARGUMENTS = {"in_reply_to_id", "visibility", "spoiler_text", "language", "idempotency_key"}


@forget_locals_of
class Mastodon:
    """One account on a server that speaks Mastodon's API.

    A post has an `Idempotency-Key` that follows from the post itself: sent again within the hour, it is not made twice.
    Other servers (GoToSocial) ignore the key. A server's software and limits are read from it once a day. A post in
    doubt is looked up on the account's own timeline.

    Args:
        server: The server, such as `https://social.example`, or `http://` on the loopback.
        handle: The account's name there, such as `police34`. `@` before it and the domain behind it are ignored.
        token: An access token of this account, with the scopes `read:accounts`, `read:statuses`, `write:statuses` and
            `write:media` (Settings, Development).
        visibility: Who sees a post, by stage: `public`, `unlisted` (not on the server's public timeline, and not found
            by its hashtags) or `private` (followers only). By default updates are unlisted, and all others public.
        content_warnings: By category: a line that stands above the post and folds it away until readers click. For
            what may shock, never for a warning that people must see.
        sensitive: Categories whose pictures are shown on a click only.
        timeout: Seconds to wait for the whole answer. For a connection, 5 at the most.
        clock: Time, handed in.
        store: The place of the server's limits and of the posts' keys.

    Raises:
        SettingsError: An option is not valid.
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
        store: StateStore,
    ) -> None:
        url, self._host = _server_address(server)
        self._handle = _username(handle)
        if not _TOKEN.fullmatch(token.get_secret_value()):
            raise SettingsError("token: must be the access token alone, without spaces or line breaks")
        if not timeout > 0:
            raise SettingsError("timeout: must be a number of seconds above 0")
        _check_categories("sensitive", sensitive)
        self._visibility = {**VISIBILITY, **(visibility or {})}
        self._warnings = _warnings(content_warnings or {})
        self._longest_warning = max(self._warnings.values(), key=graphemes, default="")
        self._sensitive = frozenset(sensitive)
        self._api = Api(url, token, timeout, clock)
        self._seal = fingerprint(self.account, token.get_secret_value())
        self._instances = InstanceCache(self._api, store)
        self._timeline = Timeline(
            account=self.account, handle=self._handle, api=self._api, instances=self._instances, store=store
        )

    def __repr__(self) -> str:
        return f"Mastodon({getattr(self, 'account', 'not opened')})"

    @property
    def capabilities(self) -> Capabilities:
        """The known ones. At first 500 characters with whole addresses, four pictures, and no key."""
        return self._instances.known().capabilities(self._longest_warning)

    @property
    def account(self) -> str:
        """`handle@host` in lower case, with the host of the server.

        Handles there may end in another domain.
        """
        return f"{self._handle}@{self._host}"

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Verify the token's owner, upload the pictures, and freeze the status.

        It replies to the newest of our posts whose thread is complete. Posts of another account are not replied to. See
        `Channel.prepare`.

        Raises:
            Refused: The post is outside the server's limits. With `fallback="standalone"`: all that it could reply to
                has been deleted.
        """
        warning = self._warnings.get(post.category, "")
        check(post, self._instances.current(), warning)
        self._timeline.check_owner(self._seal)
        thread = [ref for ref in reply_to if ref.account == self.account and is_id(ref.id)]
        with without_side_effects("looking for the post to answer"):
            parent = newest_connected(thread, self._timeline.parent_of, code="404")
        status = StatusBody.of(
            post,
            visibility=self._visibility[post.stage],
            warning=warning,
            sensitive=post.category in self._sensitive,
            parent=parent,
            media=[upload(picture, self._api) for picture in post.pictures],
        )
        return Request(account=self.account, key=post.key, body=status.body)

    def send(self, request: Request) -> PostRef:
        """Post it, with its key. See `SupportsSend.send`.

        Raises:
            Refused: With `fallback="prepare"`: only its pictures are gone, or the post that it replies to has been
                deleted since it was prepared.
        """
        status = StatusBody.model_validate(request.body)
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
                "The server accepted the post, but does not show it. A spam filter drops posts silently.",
                code="200",
                remedy="If it is not found later, ask the server's administrators.",
            )
        return ref

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """Look the post up on our own timeline. See `SupportsLookup.find`."""
        return self._timeline.find(request, since=since, known=known)

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        """Replace the post. See `SupportsEdit.edit`.

        Language, visibility and parent stay as they are. Readers who shared it are notified. Others see the new
        version, and that it was edited.
        """
        self._check_ours(ref, "edited")
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
            raise Refused("The post is no longer there; nothing was edited.", code=answer.code)
        if not answer.ok:
            check_media(status.media, answer, self._api)
            raise self._api.error(answer)
        return self._ref(answer)

    def delete(self, ref: PostRef) -> None:
        """Delete the post and its pictures. See `SupportsDelete.delete`.

        Copies on other servers may stay.
        """
        self._check_ours(ref, "deleted")
        answer = self._api.ask("status_delete", ref.id, delete_media=True)
        if not answer.ok and not answer.missing:
            raise self._api.error(answer, whole_channel=False)

    def whoami(self) -> Account:
        """Ask whose the token is, and read the server's limits. See `Channel.whoami`."""
        owner = self._timeline.owner()
        self._instances.current()
        url = owner.get("url")
        return Account(id=str(owner["id"]), name=owner["username"], url=url if isinstance(url, str) else None)

    def close(self) -> None:
        """See `Channel.close`."""
        self._api.close()

    def _ref(self, answer: HttpAnswer) -> PostRef:
        ref = ref_of(self.account, answer.object)
        if ref is None:
            raise Unconfirmed("Mastodon's answer does not name the post.", code=answer.code)
        return ref

    def _check_ours(self, ref: PostRef, done: str) -> None:
        if ref.account != self.account or not is_id(ref.id):
            raise Refused(f"The post is not one of {self.account}; nothing was {done}.")

    def _is_hidden(self, ref: PostRef) -> bool:
        """Return True if Mastodon does not show a post: its spam filter invents statuses, and a copy may be late."""
        if self._instances.known().software != "mastodon":
            return False
        try:
            return self._timeline.is_deleted(ref.id)
        except ChannelError:  # that it cannot be read now proves nothing: the answer was good
            return False

    def _refusal(self, status: StatusBody, answer: HttpAnswer) -> ChannelError:
        """Return the error of a post that was not accepted."""
        if answer.refused and answer.status in {400, 404, 410, 422} and status.in_reply_to_id is not None:
            with without_side_effects("looking for the post to answer"):  # the post was refused all the same
                deleted = self._timeline.is_deleted(status.in_reply_to_id)
            if deleted:
                return deleted_parent("404")
        if answer.missing and self._instances.known().software == "mastodon":  # its answer to a key that it knows
            return Refused("It was published before, and has been deleted on Mastodon since.", code=answer.code)
        check_media(status.media, answer, self._api)
        return self._api.error(answer)


def _server_address(server: str) -> tuple[str, str]:
    """Return the server's address, and its host with a port if there is one."""
    try:
        parts = urlsplit(server.rstrip("/"))
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host or ""))
    if not host or not secure or parts.username is not None or parts.path or parts.query or parts.fragment:
        raise SettingsError("server: must be https://… and a host alone: the token is sent there")
    return f"{parts.scheme}://{parts.netloc}", parts.netloc.lower()


def _username(handle: str) -> str:
    """Return the name on the server: `police34` for `@Police34@police.example`."""
    match = _HANDLE.fullmatch(handle)
    if not match:
        raise SettingsError("handle: must be the account's name on the server, such as 'police34'")
    return match[1].lower()


def _check_categories(option: str, categories: Iterable[str]) -> None:
    for category in categories:
        if not _CATEGORY.fullmatch(category):
            raise SettingsError(f"{option}: {category!r} is not a category: small letters, digits and underscores")


def _warnings(options: Mapping[str, str]) -> dict[str, str]:
    """Return the content warnings by category, each on one line."""
    _check_categories("content_warnings", options)
    warnings = {category: " ".join(text.split()) for category, text in options.items()}
    for category, text in warnings.items():
        if not 0 < graphemes(text) <= _LONGEST_WARNING:
            raise SettingsError(
                f"content_warnings: the text for {category!r} has {graphemes(text)} characters; "
                f"write 1 to {_LONGEST_WARNING}"
            )
    return warnings
