"""Single statuses of a server that speaks Mastodon's API: whether one is there, and what it answers.

Mastodon and GoToSocial refuse an answer to a deleted post. Others take it without a word (snac), and some go on taking
it for a while after the deletion (takahe): readers then find it nowhere. So each post above is asked for.
"""

from __future__ import annotations

from typing import Final

from policenotify.channel import Clock
from policenotify.errors import Refused, Unavailable
from policenotify.networks.mastodon.client import Answer, Api, judge
from policenotify.networks.mastodon.instance import Instances

_LAG: Final = 2.0  # seconds: a database's copy may be so far behind
MISSING: Final = frozenset({404, 410})
"""What a server answers where there is no such status."""

_CHECKS_PARENTS: Final = frozenset({"mastodon", "gotosocial"})
_FORBIDDEN: Final = 403


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
