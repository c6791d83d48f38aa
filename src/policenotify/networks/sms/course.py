"""What the answers of a gateway about single people mean for the gateway as a whole.

Nothing here calls the gateway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from policenotify.channel import Recipient, RecipientOutcome
from policenotify.errors import Blocked, ChannelError, JournalError, Refused, Unavailable, Unconfirmed

GATEWAY: Final = "The SMS gateway"
"""Its name in error texts."""

_MAX_DOUBTS = 2  # unknown results without an answer between them, after which the gateway counts as unavailable
SUSPECTED: Final = 3
"""Refusals without a success, after which a refusal counts for all recipients."""


class Course:
    """The course of a message on its way to many people.

    Attributes:
        failure: Why no further person gets the message now.
    """

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self._served = False
        self._doubts = 0
        self._code = ""
        self._refused: list[tuple[Recipient, Refused]] = []  # until it is clear whether it concerns all
        self._waiting: list[Recipient] = []  # certainly without the message, because of a failure

    @property
    def cautious(self) -> bool:
        """Whether to wait for all answers before the next person is taken: each may put one more person in doubt."""
        return self._doubts > 0 or self._suspicious

    @property
    def _suspicious(self) -> bool:
        return not self._served and len(self._refused) >= SUSPECTED

    def record(self, results: Iterable[tuple[Recipient, Exception | None]]) -> Iterator[RecipientOutcome]:
        """Record the results of one call, and yield the outcomes that are known now.

        Args:
            results: Each person with the error, or with `None` if the gateway accepted the message.
        """
        doubt = False
        for person, error in results:
            match error:
                case Unconfirmed():
                    doubt, self._code = True, error.code
                    if (at := getattr(error, "retry_at", None)) is not None:
                        reason = f"{GATEWAY} asks us to wait."
                        self._fail(Unavailable(reason, retry_at=at, whole_channel=True, code=error.code))
                    yield _outcome(person, error)
                case Refused() if not self._served:
                    self._doubts = 0
                    self._refused.append((person, error))
                case None | Refused():
                    self._doubts, self._served = 0, True
                    yield _outcome(person, error)
                    yield from self._settled()
                case ChannelError() | JournalError():
                    self._waiting.append(person)
                    self._fail(error)
                case _:
                    yield _outcome(person, Unconfirmed("It may or may not have been taken.", code=type(error).__name__))
                    self._fail(error)
        self._doubts += doubt

    def pause(self) -> None:
        """Judge the gateway, when every answer is there."""
        if self._doubts >= _MAX_DOUBTS:
            self._fail(Unavailable(f"{GATEWAY} does not answer.", code=self._code))
        elif self._suspicious and not self._doubts:
            self._fail(_refused_for_all(self._refused[-1][1]))

    def finish(self) -> Iterator[RecipientOutcome]:
        """Yield the last outcomes, after the last person, and raise the failure, if any."""
        if self.failure is None:
            yield from self._settled()
            return
        if not isinstance(self.failure, ChannelError):  # it would leave those without an outcome in doubt
            for person in (*self._waiting, *(each for each, _ in self._refused)):
                yield RecipientOutcome(key=person.key, outcome="unavailable")
        raise self.failure

    def _settled(self) -> Iterator[RecipientOutcome]:
        while self._refused:
            yield _outcome(*self._refused.pop())

    def _fail(self, error: Exception) -> None:
        """Keep the first failure, unless the new one is graver."""
        if self.failure is None or _gravity(error) > _gravity(self.failure):
            self.failure = error


def _gravity(error: Exception) -> int:
    match error:
        case Blocked():
            return 1
        case ChannelError():
            return 0
        case _:
            return 2


def _outcome(person: Recipient, error: ChannelError | None) -> RecipientOutcome:
    if error is None:
        return RecipientOutcome(key=person.key, outcome="posted")
    outcome: Literal["refused", "unconfirmed"] = "refused" if isinstance(error, Refused) else "unconfirmed"
    return RecipientOutcome(key=person.key, outcome=outcome, code=error.code, reason=error.reason)


def _refused_for_all(error: Refused) -> Blocked:
    return Blocked(
        f"{GATEWAY} refuses the message for all recipients. Its last answer: {error.reason}",
        code=error.code,
        remedy="Check sender, credit and text in the gateway's console, then: policenotify doctor",
    )
