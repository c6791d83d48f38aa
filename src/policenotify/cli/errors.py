"""What went wrong, as the command line tells it: what happened, whether anything was published, what to do now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

import click
from pydantic import ValidationError

from policenotify.cli.exit_codes import Exit
from policenotify.cli.options import option_of
from policenotify.errors import (
    IdempotencyConflict,
    InvalidTransition,
    JournalError,
    JournalMissing,
    JournalTakenAway,
    MessageRejected,
    MessageTooLong,
    MissingExtra,
    NotHeld,
    PolicenotifyError,
    UnsupportedVersion,
)
from policenotify.model.message import Message
from policenotify.validation import format_validation_errors

SPEAKING = frozenset({"publish", "update", "end", "correct", "cancel"})
"""The commands that publish."""

_IN_DOUBT = (
    "It may have been published. Look before you say it again: policenotify status "
    "(the same command again publishes nothing twice)."
)
# For fields whose form pydantic would tell by a regular expression.
_FORMS = {
    "category": "write a code such as traffic_accident",
    "language": "write a language such as fr, oc or pt-BR",
    "location.commune": "write a code of INSEE such as 34172",
    "location.department": "write a code such as 34, 2A or 974",
    "location.road.road": "write a road such as A9, N113 or D612E7",
    "lifecycle.incident": "write 1 to 64 letters, digits and . _ -, beginning with a letter or digit",
    "lifecycle.follows": "write 1 to 64 letters, digits and . _ -, beginning with a letter or digit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What went wrong.

    Attributes:
        kind: The error's name, for scripts.
        text: What happened and what to do now.
        published: Whether anything was published.
        exit: How the command exits.
        more: What else scripts may want.
    """

    kind: str
    text: str
    published: Literal["no", "unknown"] = "no"
    exit: Exit = Exit.REJECTED
    more: Mapping[str, object] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """It as JSON has it."""
        return {"error": {"kind": self.kind, "text": self.text, "published": self.published, **self.more}}

    def page(self, command: str) -> str:
        """It as a person reads it."""
        if self.published == "unknown":
            return f"{self.text}\n{_IN_DOUBT}"
        silent = command in SPEAKING and "othing was sent" not in self.text
        return f"{self.text}\nNothing was published." if silent else self.text


def trouble(error: BaseException, *, begun: bool, command: str = "") -> Trouble:
    """What an error means.

    Args:
        error: What was raised.
        begun: Something may have been published by then.
        command: The command's name, for a hint to its help.
    """
    match error:
        case click.ClickException():
            return _usage(error, command)
        case click.Abort():
            kind, text, exits, doubt = "Interrupted", "Interrupted.", Exit.INTERRUPTED, begun
        case ValidationError():
            kind, text = (
                "InvalidMessage",
                "\n".join(_in_words(slip, command) for slip in format_validation_errors(error, Message)),
            )
            exits, doubt = Exit.REJECTED, False
        case JournalError():
            doubt = begun and error.published == "unknown"
            kind, text = type(error).__name__, error.cause if doubt else str(error)
            if isinstance(error, JournalMissing) and error.hint:
                text = f"{text} {command}"
            exits = Exit.TAKEN_AWAY if isinstance(error, JournalTakenAway) else Exit.NO_JOURNAL
        case UnsupportedVersion(
            kind="journal"
        ):  # to this release it is as good as none; the worker's unit is told the same
            kind, text, exits, doubt = type(error).__name__, str(error), Exit.NO_JOURNAL, False
        case NotHeld():
            kind, text, exits, doubt = type(error).__name__, str(error), Exit.USAGE, False
        case PolicenotifyError():
            kind, text, exits, doubt = type(error).__name__, str(error), Exit.REJECTED, False
        case ModuleNotFoundError(name=str(name)) if name.partition(".")[0] != "policenotify":
            lacks = MissingExtra(f"The command {command!r} ({name} is not installed)", "all")
            return trouble(lacks, begun=begun, command=command)
        case _:
            # Its own text is not repeated: it may hold what must not be shown.
            kind, doubt = type(error).__name__, begun
            text = f"Unexpected: {kind}. Show where: policenotify --debug {command}".rstrip() + " …; then report it."
            exits = Exit.ATTENTION if begun else Exit.REJECTED
    return Trouble(kind=kind, text=text, published="unknown" if doubt else "no", exit=exits, more=_more(error))


def _usage(error: click.ClickException, command: str) -> Trouble:
    context = getattr(error, "ctx", None)
    about = context.command_path.rstrip() if context else f"policenotify {command}".rstrip()
    text = f"{error.format_message()}\nHow it is written: {about} --help"
    return Trouble(kind=type(error).__name__, text=text, exit=Exit.USAGE)


def _in_words(slip: str, command: str) -> str:
    """What is wrong with a field, which is named as files have it and as the command line does."""
    field_name, colon, said = slip.partition(": ")
    if not colon:
        return slip
    form = _FORMS.get(field_name) if said.startswith("String should match") else None
    option = option_of(field_name)
    if option == "--headline" and command in SPEAKING - {"publish"}:
        option = "HEADLINE"
    return f"{field_name}{f' ({option})' if option else ''}: {form or said}"


def _more(error: BaseException) -> dict[str, object]:
    match error:
        case MessageRejected():
            return {"findings": [asdict(finding) for finding in error.findings], "publication": error.publication}
        case InvalidTransition():
            return {"incident": error.incident, "allowed_stages": list(error.allowed_stages)}
        case IdempotencyConflict():
            return {"key": error.key, "first": error.first}
        case MessageTooLong():
            return {"channel": error.channel, "used": error.used, "limit": error.limit}
        case MissingExtra():
            return {"extra": error.extra}
        case _:
            return {}
