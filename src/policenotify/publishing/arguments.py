"""Arguments of publishing: keys, actors, waits and written reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from policenotify.errors import SettingsError
from policenotify.model.message import Message
from policenotify.translation import Text
from policenotify.validation import LONGEST_NAME, did_you_mean, is_name

SHORTEST_REASON: Final = 10
"""Characters of a written reason, at least."""

_LONGEST_REASON: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """How a message is published: the arguments of `Publisher.publish` that are stored with it, or decide what is.

    With `despite_findings` the posts are rendered even if a finding blocks. Otherwise there are none then.
    """

    key: str = ""
    actor: str = ""
    to: str | Sequence[str] | None = None
    draft: str | None = None
    urgent: str = ""
    despite_findings: bool = False


def checked_reason(name: str, text: str) -> str:
    """Return a written reason without white space around it.

    Raises:
        ValueError: It is too short to state one, too long, or cannot be printed.
    """
    reason = " ".join(text.split())
    if not SHORTEST_REASON <= len(reason) <= _LONGEST_REASON or not reason.isprintable():
        raise ValueError(
            Text(
                "{name}: write a reason of {shortest_reason} to {longest_reason} characters",
                name=name,
                shortest_reason=SHORTEST_REASON,
                longest_reason=_LONGEST_REASON,
            )
        )
    return reason


def wait_of(wait: timedelta | float | None, name: str = "wait") -> timedelta:
    """Return a time span, given as one or in seconds. `None` is zero."""
    if isinstance(wait, timedelta):
        return wait
    try:
        return timedelta(seconds=0 if wait is None else wait)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            Text("{name}: write a timedelta, or a number of seconds; nothing was sent", name=name)
        ) from None


def check_message(message: object) -> None:
    """Refuse what is not a message.

    Raises:
        TypeError: It is of another type.
    """
    if not isinstance(message, Message):
        raise TypeError(f"message: is of the type {type(message).__name__}; write a Message. Nothing was sent")


def check_names(key: object, actor: object) -> None:
    """Refuse a key or an actor that is not a text, is empty, too long or cannot be printed.

    Raises:
        ValueError: One is.
    """
    for name, value in (("key", key), ("actor", actor)):
        if not is_name(value):
            raise ValueError(
                Text(
                    "{name}: 1 to {longest_name} printable characters are needed; nothing was sent",
                    name=name,
                    longest_name=LONGEST_NAME,
                )
            )


def check_channel(channel: str | None, known: Iterable[str]) -> None:
    """Refuse a name that no channel has. `None` stands for all.

    Raises:
        SettingsError: It is one.
    """
    names = [*known]
    if channel is not None and channel not in names:
        hint = did_you_mean(channel, names)
        raise SettingsError(Text("{channel!r} is not a channel. {did_you_mean}", channel=channel, did_you_mean=hint))


def check_flags(**flags: object) -> None:
    """Refuse a flag that is not a bool: the text "false" of a web form would count as true.

    Raises:
        TypeError: One is not.
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name}: write True or False. Nothing was changed")
