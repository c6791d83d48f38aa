"""Error reports: what happened, whether anything was published, what to do now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import click
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policenotify.cli.exit_codes import Exit
from policenotify.cli.options import option_of
from policenotify.cli.usage import usage_text
from policenotify.errors import (
    DraftConflict,
    IdempotencyConflict,
    IncidentNotFound,
    InvalidTransition,
    JournalError,
    JournalMissing,
    MessageRejected,
    MessageTooLong,
    MissingExtra,
    NotHeld,
    PolicenotifyError,
    UnsupportedVersion,
)
from policenotify.findings import Finding
from policenotify.model.message import Message
from policenotify.translation import AnyText, Text, text_of
from policenotify.validation import WrongValue, named_field, validation_errors

PUBLISHING = frozenset({"publish", "update", "end", "correct", "cancel"})
"""The commands that publish."""

_UNPUBLISHED = Text("Nothing was published.")
_IN_DOUBT = Text(
    "It may have been published. Look before you publish it again: policenotify status (the same command "
    "again publishes nothing twice)."
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
    text: AnyText
    published: Literal["no", "unknown"] = "no"
    exit: Exit = Field(default=Exit.REJECTED, exclude=True)

    def page(self, command: str, message: Message | None = None) -> AnyText:
        """Return the report as text. The words of a *message*, which no exception holds, are quoted."""
        text = self.text
        findings: Sequence[Finding] = getattr(self, "findings", ())
        texts: Mapping[str, str] = {}
        if message and findings:
            from policenotify.checks import quotable_texts  # all checks come with it

            texts = quotable_texts(message, findings)
        for finding in findings:
            if words := " ".join(finding.excerpt(texts).split()):
                text = _with_words(text, finding, words)
        if self.published == "unknown":
            return Text.join("\n", (text, _IN_DOUBT))
        if command in PUBLISHING and "othing was sent" not in str(text):
            return Text.join("\n", (text, _UNPUBLISHED))
        return text


def _with_words(text: AnyText, finding: Finding, words: str) -> AnyText:
    plain, quoting = finding.text, finding.quoting(words)
    return text.map(lambda part: quoting if part == plain else part) if isinstance(text, Text) else text


def missing_extra(command: str, module: str) -> MissingExtra:
    """Return the error of a command whose library is not installed."""
    extras = {"demo": "demo", "dev": "all,testing"}  # both start the servers of tests
    return MissingExtra(
        Text("The command {command!r} ({module} is not installed)", command=command, module=module),
        extras.get(command, "all"),
    )


def error_report(error: BaseException, *, may_have_published: bool, command: str = "") -> ErrorReport:
    """Return the report of an error of a command."""
    kind, text, in_doubt, exit_code = type(error).__name__, text_of(error), False, Exit.REJECTED
    match error:
        case click.ClickException():
            return _usage(error, command)
        case click.Abort():
            kind, text, in_doubt, exit_code = "Interrupted", Text("Interrupted."), may_have_published, Exit.INTERRUPTED
        case ValidationError():
            kind = "InvalidMessage"
            text = Text.join("\n", [_explained(problem, command) for problem in validation_errors(error, Message)])
        case JournalError():
            in_doubt = may_have_published and error.published == "unknown"
            text = error.cause if in_doubt else text
            if isinstance(error, JournalMissing) and error.hint:
                text = Text.join(" ", (text, command))
            exit_code = Exit.NO_JOURNAL
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
            called = f"policenotify --debug {command}".rstrip()
            text = Text("Unexpected: {kind}. Show where: {called} …; then report it.", kind=kind, called=called)
            in_doubt = may_have_published
            exit_code = Exit.ATTENTION if may_have_published else Exit.REJECTED
    published: Literal["no", "unknown"] = "unknown" if in_doubt else "no"
    names = next((names for kind, names in _DETAILS.items() if isinstance(error, kind)), ())
    details = {name: getattr(error, name) for name in names}
    return ErrorReport.model_validate(
        {"kind": kind, "text": text, "published": published, "exit": exit_code, **details}
    )


def _usage(error: click.ClickException, command: str) -> ErrorReport:
    context = getattr(error, "ctx", None)
    program = context.command_path.rstrip() if context else f"policenotify {command}".rstrip()
    usage = Text("Usage: {program} --help", program=program)
    text = Text.join("\n", (usage_text(error), usage))
    return ErrorReport(kind=type(error).__name__, text=text, exit=Exit.USAGE)


def _explained(problem: WrongValue, command: str) -> AnyText:
    """Name the field, the option that sets it, and what to write there."""
    place, text = problem
    if not place:  # what contradicts another field names one itself
        place, text = named_field(text)
    if not place:
        return text
    option = option_of(place)
    if option == "--headline" and command in PUBLISHING - {"publish"}:
        option = "HEADLINE"
    field = Text("{field} ({option})", field=Text.word(place), option=option) if option else Text.word(place)
    return Text("{place}: {text}", place=field, text=text)
