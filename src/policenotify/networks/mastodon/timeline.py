"""Our own account on its server, and the look-up of a post in doubt.

Mastodon shows no key of a post, so a post is recognised by its pictures or its text. Two incidents may end in the same
words: posts that the journal knows are never taken for this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from policenotify.channel import PostRef, Request, StateStore
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable
from policenotify.networks._http import HttpAnswer, verify_owner
from policenotify.networks.mastodon.api import RENEW, Api, without_side_effects
from policenotify.networks.mastodon.instance import InstanceCache
from policenotify.networks.mastodon.post import StatusBody, is_id, ref_of
from policenotify.translation import Text

_PAGE: Final = 40  # the most that a server gives at once
_MOST_PAGES: Final = 25
_MARGIN: Final = timedelta(seconds=30)  # the server's clock is known in whole seconds; its database may have another
_LAG: Final = 2.0  # seconds: a database's copy may be so far behind


class Timeline:
    """The statuses of our own account."""

    def __init__(self, *, account: str, handle: str, api: Api, instances: InstanceCache, store: StateStore) -> None:
        self._account = account
        self._handle = handle
        self._api = api
        self._instances = instances
        self._store = store
        self._id = ""

    def owner(self) -> Mapping[str, Any]:
        """Return the account of the token, as the server describes it.

        Raises:
            Blocked: The token is not accepted, or belongs to another account.
            Unavailable: The server could not be asked.
        """
        with without_side_effects(Text("asking who we are")):
            answer = self._api.ask("account_verify_credentials")
            owner = answer.object
            if not (answer.ok and is_id(owner.get("id")) and isinstance(owner.get("username"), str)):
                error = self._api.error(answer)
                if isinstance(error, Refused) or answer.status in {400, 422}:  # Mastodon's 422: a token of no user
                    reason = Text("The server does not take the token{quoted}", quoted=answer.quoted)
                    raise Blocked(reason, code=error.code, remedy=RENEW)
                raise error
        if owner["username"].lower() != self._handle:
            raise Blocked(
                Text("The token belongs to @{owner}, not to @{handle}.", owner=owner["username"], handle=self._handle),
                remedy=Text("Put the right token or handle into the channel's settings, then: policenotify doctor"),
            )
        return owner

    def check_owner(self, seal: str) -> None:
        """Verify that the token is this account's. *seal* is a fingerprint of both."""
        self._id = verify_owner(self._store, seal, lambda: str(self.owner()["id"]))

    def parent_of(self, status: str) -> str | None:
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

    def is_deleted(self, status: str) -> bool:
        """Return True if there is no such status, or no longer."""
        try:
            self.parent_of(status)
        except LookupError:
            return True
        return False

    def find(self, request: Request, *, since: datetime, known: frozenset[str]) -> PostRef | None:
        """Look up the post of *request*.

        Of several posts that read alike it is the oldest one. The others may be of deliveries that were first tried
        later, whose look-up does not reach back to this one. See `SupportsLookup.find`.
        """
        status = StatusBody.model_validate(request.body)
        match: PostRef | None = None
        with without_side_effects(Text("looking the post up")):
            self._id = self._id or str(self.owner()["id"])
            for shown, ref in self._since(since):
                if ref.id not in known and self._is(status, shown):
                    match = ref
        return match

    def _since(self, since: datetime) -> Iterator[tuple[Mapping[str, Any], PostRef]]:
        """Yield our statuses, newest first, back to that time."""
        until: str | None = None
        for _ in range(_MOST_PAGES):
            answer = self._api.ask("account_statuses", self._id, exclude_reblogs=True, limit=_PAGE, max_id=until)
            if not (answer.ok and isinstance(answer.body, list)):
                raise self._reading_error(answer)
            begin, last = since + answer.clock_skew(self._api.clock.now()) - _MARGIN, until
            for shown in answer.body:
                ref = ref_of(self._account, shown) if isinstance(shown, dict) else None
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
        certain = status.may_be(shown, ids_stay=bool(self._instances.known().major))
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
