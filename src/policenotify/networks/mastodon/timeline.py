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
from policenotify.errors import Blocked, ChannelError, JournalError, Refused, Unavailable
from policenotify.networks._http import HttpAnswer, verify_owner
from policenotify.networks.mastodon.client import RENEW, Api, without_side_effects
from policenotify.networks.mastodon.instance import InstanceCache
from policenotify.networks.mastodon.post import StatusBody, is_id, ref_of

MISSING: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})  # the answers to a status that does not exist
_FORBIDDEN: Final = str(HTTPStatus.FORBIDDEN.value)  # the code of an error
_PAGE: Final = 40  # the most that a server gives at once
_MOST_PAGES: Final = 25
_MARGIN: Final = timedelta(seconds=30)  # the server's clock is known in whole seconds; its database may have another
_LAG: Final = 2.0  # seconds: a database's copy may be so far behind
_CHECKS_PARENTS: Final = frozenset({"mastodon", "gotosocial"})


class Statuses:
    """The statuses of a server, asked for one at a time.

    Mastodon and GoToSocial refuse a reply to a deleted post. snac accepts it silently, and takahe goes on accepting it
    for a while after the deletion. Readers then find the reply nowhere. So each post above is asked for.
    """

    def __init__(self, api: Api, instances: InstanceCache) -> None:
        self._api = api
        self._instances = instances

    def is_deleted(self, status: str) -> bool:
        """Return True if there is no such status, or no longer."""
        answer = self._ask(status)
        if answer.ok or answer.status in MISSING:
            return not answer.ok
        raise _reading_error(self._api, answer)

    def parent_of(self, status: str) -> str | None:
        """Return the id of a status's parent, or `None` for the first of a thread.

        Raises:
            LookupError: There is no such status, or no longer.
        """
        answer = self._ask(status)
        if answer.status in MISSING:
            raise LookupError(status)
        if answer.ok:
            parent = answer.object.get("in_reply_to_id")
            return parent if isinstance(parent, str) else None
        if answer.status == HTTPStatus.FORBIDDEN and self._instances.known().software in _CHECKS_PARENTS:
            return None  # the token may not read, but the server checks the parent before it takes a reply
        error = self._api.error(answer)
        raise Unavailable(error.reason, code=error.code) if isinstance(error, Refused) else error

    def _ask(self, status: str) -> HttpAnswer:
        """Ask for a status. A missing one is asked for twice, as a copy may be late."""
        answer = self._api.ask("status", status)
        if answer.status in MISSING:
            self._api.clock.sleep(_LAG)
            answer = self._api.ask("status", status)
        # takahe and snac send a page for a missing status, and so does a proxy that does not know the address.
        page = answer.status in MISSING and not answer.missing
        if (page and not self._instances.is_reachable()) or (answer.ok and answer.object.get("id") != status):
            raise Unavailable("Something that is not Mastodon answered in its place.", code=answer.code)
        return answer


class Timeline:
    """The timeline of our own account."""

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
        with without_side_effects("asking who we are"):
            answer = self._api.ask("account_verify_credentials")
            owner = answer.object
            if not (answer.ok and is_id(owner.get("id")) and isinstance(owner.get("username"), str)):
                error = self._api.error(answer)
                # Mastodon answers 422 to a token that it does not know, and snac too, with a page.
                if isinstance(error, Refused) or answer.status in {400, 422}:
                    reason = f"The server does not take the token{answer.quoted}"
                    raise Blocked(reason, code=error.code, remedy=RENEW)
                raise error
        if owner["username"].lower() != self._handle:
            raise Blocked(
                f"The token belongs to @{owner['username']}, not to @{self._handle}.",
                remedy="Put the right token or handle into the channel's settings, then: policenotify doctor",
            )
        return owner

    def check_owner(self, seal: str) -> None:
        """Verify that the token is this account's. *seal* is a fingerprint of both.

        A token that may post, but not read whose it is, is accepted.
        """

        def ask() -> str:
            try:
                return str(self.owner()["id"])
            except Blocked as error:
                if error.code != _FORBIDDEN:
                    raise
                return ""

        try:
            self._id = verify_owner(self._store, seal, ask)
        except JournalError:  # without the store it is only asked each time
            self._id = ask()

    def find(self, request: Request, *, since: datetime, known: frozenset[str]) -> PostRef | None:
        """Look up the post of *request*.

        Of several posts that read alike it is the oldest one. The others may be of deliveries that were first tried
        later, whose look-up does not reach back to this one.

        Args:
            request: The request of the post.
            since: The time of its first attempt.
            known: Ids of posts that are others.
        """
        status = StatusBody.model_validate(request.body)
        match: PostRef | None = None
        with without_side_effects("looking the post up"):
            self._id = self._id or self._own_id()
            for shown, ref in self._since(since):
                if ref.id not in known and self._is(status, shown, ref):
                    match = ref
        return match

    def _own_id(self) -> str:
        try:
            return str(self.owner()["id"])
        except Blocked as error:
            if error.code != _FORBIDDEN:
                raise
            raise Unavailable(error.reason, code=error.code, remedy=error.remedy) from None  # it may still post

    def _since(self, since: datetime) -> Iterator[tuple[Mapping[str, Any], PostRef]]:
        """Yield our statuses, newest first, back to that time."""
        until: str | None = None
        seen = set[str]()
        for _ in range(_MOST_PAGES):
            answer = self._api.ask("account_statuses", self._id, exclude_reblogs=True, limit=_PAGE, max_id=until)
            if not (answer.ok and isinstance(answer.body, list)):
                raise _reading_error(self._api, answer)
            begin = since + answer.clock_skew(self._api.clock.now()) - _MARGIN
            for shown in answer.body:
                ref = ref_of(self._account, shown) if isinstance(shown, dict) else None
                at = _time(shown.get("created_at")) if ref is not None else None
                if ref is None or at is None:
                    raise Unavailable("Mastodon shows our posts in a form that we cannot read.", code="200")
                if at < begin:
                    return
                until = ref.id
                if not shown.get("reblog") and ref.id not in seen:
                    yield shown, ref
            page = {str(shown["id"]) for shown in answer.body}
            if page <= seen:  # the end; snac knows no pages, and begins again
                return
            seen |= page
        raise Unavailable(
            f"More than {_PAGE * _MOST_PAGES} posts have been made from this account since; the post was not found.",
            remedy="Look for it on the server's website, then: policenotify resolve",
        )

    def _is(self, status: StatusBody, shown: Mapping[str, Any], ref: PostRef) -> bool:
        software = self._instances.known().software
        certain = status.may_be(shown, ids_stay=software in {"mastodon", "gotosocial"})
        if certain is not None:
            return certain
        # If a person has edited it meanwhile, its first version counts.
        first = self._first_version(ref.id) if shown.get("edited_at") else None
        return status.reads_as(first or self._source(ref.id) or shown)

    def _source(self, status: str) -> Mapping[str, Any] | None:
        """Return a status as it was written, if the server shows that."""
        answer = self._answered("status_source", status)
        return answer.object if isinstance(answer.object.get("text"), str) else None

    def _first_version(self, status: str) -> Mapping[str, Any] | None:
        """Return the first version of an edited status, if the server stores it."""
        answer = self._answered("status_history", status)
        first = answer.body[0] if isinstance(answer.body, list) and answer.body else None
        return first if isinstance(first, dict) else None

    def _answered(self, call: str, status: str) -> HttpAnswer:
        """Ask for a status. A refusal is an answer too."""
        answer = self._api.ask(call, status)
        if answer.ok or answer.status in {HTTPStatus.FORBIDDEN, *MISSING}:
            return answer
        raise _reading_error(self._api, answer)


def _reading_error(api: Api, answer: HttpAnswer) -> ChannelError:
    """Return the error for a failed reading. A token that may not read may still post."""
    error = api.error(answer)
    if isinstance(error, Refused) or answer.status == HTTPStatus.FORBIDDEN:
        return Unavailable(error.reason, code=error.code, remedy=error.remedy)
    return error


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
