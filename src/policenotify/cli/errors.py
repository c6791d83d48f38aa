"""Error reports: what happened, whether anything was published, what to do now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

import click
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policenotify.cli.exit_codes import Exit
from policenotify.cli.options import option_of
from policenotify.errors import (
    DraftConflict,
    IdempotencyConflict,
    IncidentNotFound,
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
from policenotify.findings import Finding
from policenotify.model.message import Message
from policenotify.validation import FORMS, format_validation_errors

PUBLISHING = frozenset({"publish", "update", "end", "correct", "cancel"})
"""The commands that publish."""

_UNPUBLISHED = "Nothing was published."
_IN_DOUBT = (
    "It may have been published. Look before you publish it again: policenotify status "
    "(the same command again publishes nothing twice)."
)
# The attributes of an error that its report has, too.
_DETAILS: dict[type[PolicenotifyError], tuple[str, ...]] = {
    MessageRejected: ("findings", "publication"),
    DraftConflict: ("draft",),
    IncidentNotFound: ("name", "nearest"),
    InvalidTransition: ("incident", "allowed_stages"),
    IdempotencyConflict: ("key", "first"),
    MessageTooLong: ("channel", "used", "limit"),
    MissingExtra: ("extra",),
}


class ErrorReport(BaseModel):
    """What went wrong. Further fields depend on the kind of error.

    Attributes:
        exit: The exit code of the command; not part of the JSON document.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="allow", defer_build=True)

    kind: str
    text: str
    published: Literal["no", "unknown"] = "no"
    exit: Exit = Field(default=Exit.REJECTED, exclude=True)

    def page(self, command: str, translate: Callable[[str], str] = str, message: Message | None = None) -> str:
        """Return the report as text, each line translated for itself.

        Args:
            command: The command that failed.
            translate: Returns a text in the desk's language.
            message: What the officer typed: its words, which no exception holds, are quoted.
        """
        text = self.text
        findings: Sequence[Finding] = getattr(self, "findings", ())
        texts: Mapping[str, str] = {}
        if message and findings:
            from policenotify.checks import quotable_texts  # all checks come with it

            texts = quotable_texts(message, findings)
        for finding in findings:
            if words := " ".join(finding.excerpt(texts).split()):
                text = text.replace(str(finding), finding.quoting(words), 1)
        if self.published == "unknown":
            text = f"{text}\n{_IN_DOUBT}"
        elif command in PUBLISHING and "othing was sent" not in text:
            text = f"{text}\n{_UNPUBLISHED}"
        return translate(text)


def missing_extra(command: str, module: str) -> MissingExtra:
    """Return the error of a command whose library is not installed."""
    extras = {"demo": "demo", "dev": "all,testing"}  # both start the servers of tests
    return MissingExtra(f"The command {command!r} ({module} is not installed)", extras.get(command, "all"))


def error_report(error: BaseException, *, may_have_published: bool, command: str = "") -> ErrorReport:
    """Return the report of an error of a command."""
    kind, text, in_doubt, exit_code = type(error).__name__, str(error), False, Exit.REJECTED
    match error:
        case click.ClickException():
            return _usage(error, command)
        case click.Abort():
            kind, text, in_doubt, exit_code = "Interrupted", "Interrupted.", may_have_published, Exit.INTERRUPTED
        case ValidationError():
            kind = "InvalidMessage"
            text = "\n".join(_explained(line, command) for line in format_validation_errors(error, Message))
        case JournalError():
            in_doubt = may_have_published and error.published == "unknown"
            text = error.cause if in_doubt else text
            if isinstance(error, JournalMissing) and error.hint:
                text = f"{text} {command}"
            exit_code = Exit.TAKEN_AWAY if isinstance(error, JournalTakenAway) else Exit.NO_JOURNAL
        case UnsupportedVersion(kind="journal"):  # this release cannot use it, as if there were none
            exit_code = Exit.NO_JOURNAL
        case NotHeld():
            exit_code = Exit.USAGE
        case PolicenotifyError():
            pass
        case ModuleNotFoundError(name=str(name)) if name.partition(".")[0] != "policenotify":
            return error_report(missing_extra(command, name), may_have_published=may_have_published, command=command)
        case _:
            # Its own text is not repeated: it may hold a secret.
            text = f"Unexpected: {kind}. Show where: policenotify --debug {command}".rstrip() + " …; then report it."
            in_doubt = may_have_published
            exit_code = Exit.ATTENTION if may_have_published else Exit.REJECTED
    published: Literal["no", "unknown"] = "unknown" if in_doubt else "no"
    return ErrorReport.model_validate(
        {"kind": kind, "text": text, "published": published, "exit": exit_code, **_details(error)}
    )


def _usage(error: click.ClickException, command: str) -> ErrorReport:
    context = getattr(error, "ctx", None)
    program = context.command_path.rstrip() if context else f"policenotify {command}".rstrip()
    text = f"{error.format_message()}\nUsage: {program} --help"
    return ErrorReport(kind=type(error).__name__, text=text, exit=Exit.USAGE)


def _explained(line: str, command: str) -> str:
    """Name the field, the option that sets it, and what to write there."""
    field, colon, problem = line.partition(": ")
    if not colon:
        return line
    form = FORMS.get(field) if problem.startswith("String should match") else None
    option = option_of(field)
    if option == "--headline" and command in PUBLISHING - {"publish"}:
        option = "HEADLINE"
    return f"{field}{f' ({option})' if option else ''}: {form or problem}"


def _details(error: BaseException) -> dict[str, object]:
    names = next((names for kind, names in _DETAILS.items() if isinstance(error, kind)), ())
    return {name: getattr(error, name) for name in names}
