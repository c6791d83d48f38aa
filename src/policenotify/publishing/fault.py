"""Why a channel cannot be used at present, and what a person must do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from policenotify.channel import ChannelConfig
from policenotify.errors import SettingsError

_THEN = "What is meant for it waits, and then goes out by itself. To look: policenotify doctor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a channel cannot be used at present.

    Attributes:
        reason: What is wrong, in an officer's words.
        remedy: What to do now.
    """

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}"


def fault_of(channel: ChannelConfig, had_people: Callable[[str], bool]) -> Fault | None:
    """Return why a channel cannot be used at present, or `None` if it can. Reads its list of recipients.

    Args:
        channel: The channel.
        had_people: Returns whether an earlier delivery on the channel of that name had recipients.
    """
    return readers_of(channel, had_people)[1]


def readers_of(channel: ChannelConfig, had_people: Callable[[str], bool]) -> tuple[tuple[str, ...], Fault | None]:
    """Return who is on the channel's list now, and why the channel cannot be used, if so.

    An emptied list is a fault, because a failed export looks like that. A list that never had people is not, nor is
    the list of a retired channel.
    """
    name = channel.name
    if channel.problem:
        reason = f"The channel {name!r} cannot be used: {channel.problem}"
        return (), Fault(reason=reason, remedy=f"Mend it in the settings. {_THEN}")
    if channel.recipients is None:
        return (), None
    try:
        people = tuple(channel.recipients())
    except Exception as error:  # noqa: BLE001 - a host's own function may raise anything, and quote an address
        why = str(error) if isinstance(error, SettingsError) else f"{type(error).__name__}."
        reason = f"The list of recipients of {name!r} cannot be read: {why}"
        return (), Fault(reason=reason, remedy=f"Make it readable. {_THEN}")
    if people or channel.retired or not had_people(name):
        return people, None
    reason = f"The list of recipients of {name!r} is empty, and had people before."
    remedy = f"Restore the list; if it is meant to be empty, set retired = true. {_THEN}"
    return (), Fault(reason=reason, remedy=remedy)
