"""Looking a post up on our own timeline: Mastodon shows no key, so it is known by its pictures or its text.

What is known to be out under another key of ours is never taken for it: two incidents may end in the same words. So
the ids of what we have posted are kept, with their keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from policenotify.channel import Clock, PostRef, Request, StateStore
from policenotify.errors import Blocked, ChannelError, JournalError, Refused, Unavailable
from policenotify.networks.mastodon.client import RENEW, Answer, Api, judge, without_side_effects
from policenotify.networks.mastodon.instance import Instances
from policenotify.networks.mastodon.post import is_id, may_be, plain, plain_html, ref_of
from policenotify.transport import quoted

_NAME: Final = "posts"
_OWNER: Final = "owner"
_REMEMBERED: Final = 200  # posts; more than any account says while one is in doubt
_PAGE: Final = 40  # the most that a server gives at once
_MOST_PAGES: Final = 25
_TRIES: Final = 5
# The server's clock is taken from its answers (whole seconds); its database may have another.
_LEEWAY: Final = timedelta(seconds=30)
_FORBIDDEN: Final = 403
_UNTOLD: Final = frozenset({_FORBIDDEN, 404, 410})


class Timeline:
    """The statuses of our own account.

    Args:
        account: As the channel names it.
        handle: The account's name on its server.
        api: Asks the server.
        instances: Knows the server.
        clock: Time, handed in.
        keep: Where it is kept what we have posted.
    """

    def __init__(
        self, *, account: str, handle: str, api: Api, instances: Instances, clock: Clock, keep: StateStore
    ) -> None:
        self._account = account
        self._handle = handle
        self._api = api
        self._instances = instances
        self._clock = clock
        self._keep = keep
        self._id = ""

    def owner(self) -> Mapping[str, Any]:
        """Whose the token is, as the server describes the account.

        Raises:
            Blocked: The token is not accepted, or belongs to another account.
            Unavailable: The server could not be asked.
        """
        with without_side_effects("asking who we are"):
            answer = self._api.ask("account_verify_credentials")
            said = answer.object
            if not (answer.ok and is_id(said.get("id")) and isinstance(said.get("username"), str)):
                error = judge(answer, now=self._clock.now())
                # Mastodon answers 422 to a token that it does not know, and snac too, with a page.
                if isinstance(error, Refused) or answer.status in {400, 422}:
                    reason = f"The server does not take the token{quoted(answer.said)}"
                    raise Blocked(reason, code=error.code, remedy=RENEW)
                raise error
        if said["username"].lower() != self._handle:
            raise Blocked(
                f"The token belongs to @{said['username']}, not to @{self._handle}.",
                remedy="Put the right token or handle into the channel's settings, then: policenotify doctor",
            )
        return said

    def check_owner(self, seal: str) -> None:
        """See that the token is this account's; asked once, and again when the seal is another.

        A post under the wrong account cannot be taken back from those who have read it.

        Args:
            seal: Stands for the token, without telling it.

        Raises:
            ChannelError: As `owner` does; not where the token may post, but not read whose it is.
        """
        kept = None
        with suppress(JournalError):
            kept = self._keep.load(_OWNER)
        if kept is not None and kept.value == seal:
            return
        try:
            self._id = str(self.owner()["id"])
        except Blocked as error:
            if error.code != str(_FORBIDDEN):
                raise
            return
        with suppress(JournalError):  # else it is only asked again
            self._keep.compare_and_swap(_OWNER, seal, version=kept.version if kept else None)

    def remember(self, ref: PostRef, key: str) -> None:
        """Keep under which key a post is out. Where that fails, only looking up becomes less sure."""
        with suppress(JournalError):
            for _ in range(_TRIES):
                known, version = self._posted()
                if known.get(ref.id) == key:
                    return
                latest = list({**known, ref.id: key}.items())[-_REMEMBERED:]
                if self._keep.compare_and_swap(_NAME, json.dumps(latest), version=version):
                    return

    def find(
        self, request: Request, *, since: datetime, known: frozenset[str] = frozenset(), just_now: bool = False
    ) -> PostRef | None:
        """Look the post of *request* up.

        Of several posts that read as it, it is the oldest: the others may be of deliveries that were first tried later,
        whose look-up does not reach back to this one.

        Args:
            request: What was said to the network.
            since: When it was first said.
            known: Ids of posts that are others.
            just_now: It was said a moment ago: of several posts it is the newest.

        Raises:
            Unavailable: The timeline could not be read.
            Blocked: The token is not accepted.
        """
        with without_side_effects("looking the post up"):
            self._id = self._id or self._own_id()
            keys, _ = self._posted()
            found: PostRef | None = None
            for said, ref in self._since(since):
                under = keys.get(ref.id)
                if ref.id in known or under not in {None, request.key}:
                    continue
                if under == request.key:
                    return ref
                if self._is(request, said, ref):
                    found = ref
                    if just_now:
                        break
            if found is not None:
                self.remember(found, request.key)
        return found

    # --- reading

    def _own_id(self) -> str:
        try:
            return str(self.owner()["id"])
        except Blocked as error:
            if error.code != str(_FORBIDDEN):
                raise
            forbidden = error
        raise Unavailable(forbidden.reason, code=forbidden.code, remedy=forbidden.remedy)  # it may still post

    def _since(self, since: datetime) -> Iterator[tuple[Mapping[str, Any], PostRef]]:
        """Our statuses, newest first, back to that time."""
        until: str | None = None
        seen = set[str]()
        for _ in range(_MOST_PAGES):
            answer = self._api.ask("account_statuses", self._id, exclude_reblogs=True, limit=_PAGE, max_id=until)
            if not (answer.ok and isinstance(answer.body, list)):
                raise self._unread(answer)
            begin = since + answer.ahead(self._clock.now()) - _LEEWAY
            for said in answer.body:
                ref = ref_of(self._account, said) if isinstance(said, dict) else None
                at = _time(said.get("created_at")) if ref is not None else None
                if ref is None or at is None:
                    raise Unavailable("Mastodon shows our posts in a form that we cannot read.", code="200")
                if at < begin:
                    return
                until = ref.id
                if not said.get("reblog") and ref.id not in seen:
                    yield said, ref
            page = {str(said["id"]) for said in answer.body}
            if page <= seen:  # the end; snac knows no pages, and begins again
                return
            seen |= page
        raise Unavailable(
            f"More than {_PAGE * _MOST_PAGES} posts have been made from this account since; the post was not found.",
            remedy="Look for it on the server's website, then: policenotify resolve",
        )

    def _is(self, request: Request, said: Mapping[str, Any], ref: PostRef) -> bool:
        software = self._instances.known().software
        sure = may_be(request.body, said, ids_stay=software in {"mastodon", "gotosocial"})
        if sure is not None:
            return sure
        text, warning = plain(str(request.body["status"])), plain(str(request.body.get("spoiler_text", "")))
        # Edited by a person meanwhile, it is ours all the same: its first version counts.
        first = self._first(ref.id) if said.get("edited_at") else None
        if first is None:
            first = self._source(ref.id) or said
        theirs = plain(first["text"]) if "text" in first else plain_html(str(first.get("content", "")))
        return (theirs, plain(str(first.get("spoiler_text") or ""))) == (text, warning)

    def _source(self, status: str) -> Mapping[str, Any] | None:
        """What was written, where the server tells it."""
        answer = self._asked(self._api.ask("status_source", status))
        return answer.object if isinstance(answer.object.get("text"), str) else None

    def _first(self, status: str) -> Mapping[str, Any] | None:
        """The first version of an edited status, where the server keeps it."""
        answer = self._asked(self._api.ask("status_history", status))
        first = answer.body[0] if isinstance(answer.body, list) and answer.body else None
        return first if isinstance(first, dict) else None

    def _asked(self, answer: Answer) -> Answer:
        """The answer, if the server has answered, were it by a no."""
        if answer.ok or answer.status in _UNTOLD:
            return answer
        raise self._unread(answer)

    def _unread(self, answer: Answer) -> ChannelError:
        """Why nothing could be read. That a token may not read says nothing against posting with it."""
        error = judge(answer, now=self._clock.now())
        if isinstance(error, Refused) or answer.status == _FORBIDDEN:
            return Unavailable(error.reason, code=error.code, remedy=error.remedy)
        return error

    def _posted(self) -> tuple[dict[str, str], int | None]:
        """Keys by the ids of what we have posted."""
        kept = self._keep.load(_NAME)
        return (dict(json.loads(kept.value)), kept.version) if kept else ({}, None)


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


_LAG: Final = 2.0  # seconds: a database's copy may be so far behind
MISSING: Final = frozenset({404, 410})
"""What a server answers where there is no such status."""

_CHECKS_PARENTS: Final = frozenset({"mastodon", "gotosocial"})


class Statuses:
    """Asks a server for one status at a time.

    Args:
        api: Asks the server.
        instances: Knows the server.
        clock: Time, handed in.
    """

    def __init__(self, api: Api, instances: Instances, clock: Clock) -> None:
        self._api = api
        self._instances = instances
        self._clock = clock

    def gone(self, status: str) -> bool:
        """Return True if there is no such status, or no longer.

        Raises:
            ChannelError: It could not be asked.
        """
        answer = self._asked(status)
        if answer.ok or answer.status in MISSING:
            return not answer.ok
        error = judge(answer, now=self._clock.now())
        # That a token may not read says nothing against posting with it.
        if isinstance(error, Refused) or answer.status == _FORBIDDEN:
            raise Unavailable(error.reason, code=error.code, remedy=error.remedy)
        raise error

    def parent_of(self, status: str) -> str | None:
        """Return the id of the status that a status answers, or `None` for one that starts a thread.

        Raises:
            LookupError: There is no such status, or no longer.
            ChannelError: It could not be asked.
        """
        answer = self._asked(status)
        if answer.status in MISSING:
            raise LookupError(status)
        if answer.ok:
            parent = answer.object.get("in_reply_to_id")
            return parent if isinstance(parent, str) else None
        if answer.status == _FORBIDDEN and self._instances.known().software in _CHECKS_PARENTS:
            return None  # the token may not read, but the server looks itself before it takes an answer
        error = judge(answer, now=self._clock.now())
        raise Unavailable(error.reason, code=error.code) if isinstance(error, Refused) else error

    def _asked(self, status: str) -> Answer:
        """Ask for the status. A missing one is asked for twice, so that a late copy is not taken for a deletion."""
        answer = self._api.ask("status", status)
        if answer.status in MISSING:
            self._clock.sleep(_LAG)
            answer = self._api.ask("status", status)
        # takahe and snac send a page for a status that is not there, and so does a proxy that knows no such address.
        page = answer.status in MISSING and not answer.missing
        if (page and not self._instances.answers()) or (answer.ok and answer.object.get("id") != status):
            raise Unavailable("Something that is not Mastodon answered in its place.", code=str(answer.status))
        return answer
