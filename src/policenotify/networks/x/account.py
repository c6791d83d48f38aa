"""Whose the credentials are: asked once, kept, and asked again when the credentials change.

A post under the wrong account cannot be taken back from those who have read it; so nothing is said before X has
named the account, and it is the one of the settings.
"""

from __future__ import annotations

from collections.abc import Callable

from policenotify.channel import Account, Clock, StateStore
from policenotify.errors import Blocked, JournalError, Unavailable
from policenotify.networks.x.answer import Answer, judge, without_side_effects
from policenotify.networks.x.credentials import Credentials, fingerprint
from policenotify.networks.x.post import is_id

_NAME = "identity"


class Identity:
    """Whose the credentials of a channel are.

    Args:
        account: The channel's account.
        handle: Whose they should be.
        credentials: The credentials; only a fingerprint of them is kept.
        ask: Makes a call: tweepy's method, its arguments.
        clock: Time.
        keep: Where the answer lives.
    """

    def __init__(
        self,
        *,
        account: str,
        handle: str,
        credentials: Credentials,
        ask: Callable[..., Answer],
        clock: Clock,
        keep: StateStore,
    ) -> None:
        self._handle = handle
        self._seal = f"{account} {fingerprint(credentials)}"
        self._ask = ask
        self._clock = clock
        self._keep = keep
        self._number = ""

    def number(self) -> str:
        """The account's number, which also proves that the credentials are its own.

        Raises:
            Blocked: They are another account's, or X does not accept them.
            Unavailable: X could not be asked, or the journal not be read.
        """
        if self._number:
            return self._number
        try:
            kept = self._keep.load(_NAME)
            seal, _, number = kept.value.rpartition(" ") if kept else ("", "", "")
            if seal != self._seal:
                number = self.asked().id
                # whoever is faster says the same
                self._keep.compare_and_swap(_NAME, f"{self._seal} {number}", version=kept.version if kept else None)
        except JournalError:
            raise Unavailable("What is kept of X is not to be read.", remedy="It will be tried again.") from None
        self._number = number
        return number

    def asked(self) -> Account:
        """Ask X whose they are.

        Raises:
            Blocked: They are another account's, or X does not accept them.
            Unavailable: X could not be asked.
        """
        with without_side_effects("asking who we are"):
            answer = self._ask("get_me")
            number, handle = answer.data.get("id"), answer.data.get("username")
            if not (is_id(number) and isinstance(handle, str)):
                raise judge(answer, now=self._clock.now())
        if handle.lower() != self._handle.lower():
            raise Blocked(
                f"The credentials are those of {handle}, not of {self._handle}. Nothing was posted.",
                remedy="Correct `handle` in the channel's settings, or its keys and tokens, then: policenotify doctor",
            )
        return Account(id=str(number), name=handle, url=f"https://x.com/{handle}")
