"""All errors that policenotify raises, each below `PolicenotifyError`.

No error text carries a password, a token, a telephone number or a mail address. The local variables of a traceback
may: error trackers must not record them.
"""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING, Any, Literal, overload

from policenotify.translation import AnyText, Text, in_language

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from policenotify.findings import Finding


_LONGEST_TEXT = 1_000  # characters: our own texts have half as many


@overload
def printable(text: str) -> str: ...
@overload
def printable(text: AnyText) -> AnyText: ...
def printable(text: AnyText) -> AnyText:
    """Return the beginning of a text that may hold a server's words, on one line.

    Characters that move a cursor, change the direction of the text or are invisible become spaces.
    """
    if isinstance(text, Text):
        return text.map(lambda part: printable(part) if isinstance(part, str) else part)
    text = text[:_LONGEST_TEXT]
    if text.isprintable():
        return text
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


class PolicenotifyError(Exception):
    """Any error that policenotify raises on purpose. It can be pickled."""

    def __init__(self, text: AnyText = "") -> None:
        super().__init__(text)

    @property
    def text(self) -> AnyText:
        """What happened, in an officer's words. `str(error)` is the same in English."""
        text: AnyText = self.args[0] if self.args else ""
        return text

    def in_(self, language: str) -> str:
        """Return the text in a language, such as `fr`."""
        return in_language(self.text, language)

    def __str__(self) -> str:
        return str(self.text)

    def __reduce__(self) -> tuple[Any, ...]:
        # By default, pickle calls the class again with the finished text, but each class has its own arguments.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]  # not in typeshed


class MessageRejected(PolicenotifyError):
    """A check blocks the message. Nothing was sent, and the journal keeps it as refused.

    Attributes:
        findings: The findings of the checks, blocking ones first.
        publication: Id of what was refused, in the journal, or `None` for a preview.
        in_transaction: The refusal is part of the caller's own transaction, and kept only if that commits.
    """

    def __init__(
        self,
        findings: Sequence[Finding],
        publication: str | None = None,
        *,
        in_transaction: bool = False,
    ) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        self.publication = publication
        self.in_transaction = in_transaction
        reasons = Text.join("\n", [Text("  {finding}", finding=finding) for finding in self.findings if finding.blocks])
        condition = Text(" if your transaction commits") if in_transaction else ""
        draft = (
            Text(" The refusal is recorded as {publication}{condition}.", publication=publication, condition=condition)
            if publication
            else ""
        )
        super().__init__(
            Text(
                "Nothing was sent: the message may not go out as it is.{draft}\n{reasons}", draft=draft, reasons=reasons
            )
        )


class ApprovalMissing(MessageRejected):
    """Other people must approve the message before it is published. Nothing was sent."""


class DraftConflict(PolicenotifyError):
    """The draft is not in the state, or not the text, that the caller believes. Nothing was sent or changed.

    Attributes:
        draft: Id of the draft.
    """

    def __init__(self, draft: str, text: AnyText) -> None:
        self.draft = draft
        super().__init__(Text("Nothing was sent or changed. Draft {draft}: {text}", draft=draft, text=text))


class InvalidTransition(PolicenotifyError):
    """The stage may not follow in this incident. Nothing was sent.

    Attributes:
        incident: Id of the incident, or `None` when the message named none.
        allowed_stages: The stages that may follow now.
    """

    def __init__(self, text: AnyText, *, incident: str | None, allowed_stages: Iterable[str] = ()) -> None:
        self.incident = incident
        self.allowed_stages: tuple[str, ...] = tuple(allowed_stages)
        super().__init__(Text("Nothing was sent. {text}", text=text))


class IncidentNotFound(PolicenotifyError, LookupError):
    """There is no incident or publication of that name. Nothing was sent or changed.

    Attributes:
        name: The name that was looked for.
        nearest: The open incident whose id is most like it, if one is.
    """

    def __init__(self, text: AnyText, *, name: str, nearest: str | None = None) -> None:
        self.name = name
        self.nearest = nearest
        super().__init__(Text("Nothing was sent. {text}", text=text))


class IdempotencyConflict(PolicenotifyError):
    """The key already names another publication, `first`. Nothing was sent."""

    def __init__(self, key: str, first: str) -> None:
        self.key = key
        self.first = first
        super().__init__(
            Text(
                "Nothing was sent: the key {key!r} already names publication {first}, whose content differs. "
                "Use the same content to ask for its receipt, or another key for another message.",
                key=key,
                first=first,
            )
        )


class MessageTooLong(PolicenotifyError):
    """The required parts of the message fit none of its channels. Nothing was sent.

    Attributes:
        channel: The channel that the figures are about.
        used: Length of the required parts, in the network's own count.
        limit: The network's limit, in the same count.
    """

    def __init__(self, channel: str, used: int, limit: int) -> None:
        self.channel = channel
        self.used = used
        self.limit = limit
        super().__init__(
            Text(
                "Nothing was sent: on {channel!r} what, where and the first thing to do take {used} of "
                "{limit}. Shorten the headline, the street or the first sentence of the instruction.",
                channel=channel,
                used=used,
                limit=limit,
            )
        )


_SUBJECTS = {
    "message": Text("This message"),
    "journal": Text("This journal"),
    "keys file": Text("This keys file"),
    "settings file": Text("This settings file"),
    "campaign": Text("This campaign"),
}


class UnsupportedVersion(PolicenotifyError):
    """A newer policenotify than this one wrote the value.

    Attributes:
        kind: The kind of the value, such as `message`.
        version: The value's schema version.
        supported: The newest version that this installation reads.
    """

    def __init__(self, kind: str, version: int, supported: int, *, where: str = "") -> None:
        self.kind = kind
        self.version = version
        self.supported = supported
        subject = _SUBJECTS.get(kind) or Text("This {kind}", kind=kind)
        super().__init__(
            Text(
                "{subject} has schema version {version}; this policenotify reads up to {supported}. Install "
                "the release of policenotify that introduced this version, or a later one.",
                subject=Text("{subject} ({where})", subject=subject, where=where) if where else subject,
                version=version,
                supported=supported,
            )
        )


class NotHeld(PolicenotifyError):
    """The delivery to resolve, or a person of it, is not held, or does not exist. Nothing was changed."""

    def __init__(self, delivery: int, *, outcome: str = "", people: int = 0) -> None:
        self.delivery = delivery
        self.exists: bool = bool(outcome)
        if outcome and people:
            super().__init__(
                Text.counted(
                    "{count} of the people named is not in doubt in delivery {delivery}, or a key is too "
                    "short. Nothing was changed. Who is in doubt: policenotify resolve {delivery}",
                    "{count} of the people named are not in doubt in delivery {delivery}, or a key is too "
                    "short. Nothing was changed. Who is in doubt: policenotify resolve {delivery}",
                    count=people,
                    delivery=delivery,
                )
            )
            return
        why = (
            Text("Delivery {delivery} is not held: it is {outcome}", delivery=delivery, outcome=outcome)
            if outcome
            else Text("There is no delivery {delivery}", delivery=delivery)
        )
        super().__init__(Text("{why}. Nothing was changed. Which are held: policenotify resolve", why=why))


class NotAllowed(PolicenotifyError):
    """The installation's hook `may` refuses an action to this actor. Nothing was sent or changed.

    Attributes:
        actor: Who asked for it, as claimed.
        action: `publish`, `draft`, `submit`, `approve`, `return`, `reject`, `withdraw`, `urgent`, `second_reading`,
            `stop`, `resume`, `pause`, `abort`, `resolve`, `show`, `purge`, `erase`, `suppress`, `release`, `export` or
            `move`.
    """

    def __init__(self, actor: str, action: str, reason: str = "") -> None:
        self.actor = actor
        self.action = action
        why = f" ({str(reason).rstrip('.')})" if reason else ""
        super().__init__(
            Text(
                "Nothing was sent or changed: {actor!r} may not {action} here{why}. Let someone do it who "
                "may, or change the rule of this installation (`may` in the settings).",
                actor=actor,
                action=action,
                why=why,
            )
        )


class NotErasable(PolicenotifyError):
    """The incident or publication cannot be erased now. Nothing was erased."""

    def __init__(self, text: AnyText) -> None:
        super().__init__(Text("{text} Nothing was erased.", text=text))


class InvalidImage(PolicenotifyError):
    """An image cannot be read or used. Nothing was sent."""


class InvalidAlert(PolicenotifyError, ValueError):
    """A file is not an alert of CAP 1.2 that may be imported. Nothing was stored.

    Attributes:
        reason: The problem, with the element that has it.
    """

    def __init__(self, reason: AnyText) -> None:
        self.reason = reason
        super().__init__(Text("The alert was not imported, and nothing was stored: {reason}.", reason=reason))


class PublishingStopped(PolicenotifyError):
    """`policenotify stop` is in force. Nothing was sent."""

    def __init__(self, by: str, reason: str) -> None:
        self.by = by
        why = f" ({reason})" if reason else ""
        super().__init__(
            Text(
                "Nothing was sent: everything was stopped by {by}{why}. Resume first: policenotify resume",
                by=by,
                why=why,
            )
        )


class SettingsError(PolicenotifyError, ValueError):
    """The installation's settings are wrong.

    The text names the field and, for a misspelt name, the nearest known one.
    """


class UnknownNetwork(SettingsError):
    """No installed package offers the network."""


class MissingExtra(SettingsError, ImportError):
    """The library of a network or command is not installed: an extra of a package."""

    def __init__(self, subject: AnyText, extra: str, *, package: str = "policenotify") -> None:
        self.extra = extra
        self.package = package
        super().__init__(
            Text(
                "{subject} needs an extra. Install it: pip install '{package}[{extra}]'",
                subject=subject,
                package=package,
                extra=extra,
            )
        )


class JournalError(PolicenotifyError):
    """The journal could not be read or written. Nothing was sent that is not in it.

    Attributes:
        published: With `"no"`, nothing of this call was published. With `"unknown"`, the call may have stored a
            publication before it failed, and a stored publication is delivered.
        at_commit: The commit itself failed, so that its changes may be stored.
    """

    published: Literal["no", "unknown"] = "no"
    at_commit: bool = False
    _unknown: AnyText = Text("Nothing was sent that is not in it.")
    _known: AnyText = ""

    def __init__(self, text: AnyText, *, published: Literal["no", "unknown"] = "no") -> None:
        self.published = published
        super().__init__(text)

    @property
    def cause(self) -> AnyText:
        """The failure, without the sentence on what was published."""
        return super().text

    @property
    def text(self) -> AnyText:
        """The failure, and what was published."""
        published = self._unknown if self.published == "unknown" else self._known
        return Text.join(" ", (self.cause, published)) if published else self.cause

    def mark_not_published(self) -> None:
        """Record that the call stored nothing, unless the commit itself failed."""
        if self.published == "unknown" and not self.at_commit:
            self.published = "no"
            self._known = Text("Nothing was sent.")


class JournalMissing(JournalError):
    """There is no journal where the settings name one.

    Only `policenotify init` and `migrate` create a journal.

    Attributes:
        hint: The program whose commands find the journal, if it is not `policenotify`.
    """

    def __init__(self, text: AnyText, *, hint: str = "") -> None:
        self.hint = hint
        super().__init__(Text.join(" ", (text, hint)) if hint else text)


class JournalTakenAway(JournalError):
    """The journal was deleted or replaced while in use. This process sends no more."""

    _unknown = ""

    def __init__(self, event: AnyText) -> None:
        self.event = event
        super().__init__(
            Text(
                "{event} This process sends nothing more. Stop all that publishes and delivers, put the "
                "right journal back (a file together with its -wal file), prove it (policenotify doctor), "
                "then start again.",
                event=event,
            ),
            published="unknown",
        )


class LostLease(JournalError):
    """Another process has taken the delivery over. Its result counts."""


class ChannelError(PolicenotifyError):
    """The meaning of a network's failure for a post, of one of four kinds.

    Args:
        reason: The failure, in an officer's words.
        remedy: What to do now, in the imperative. May be empty.
        code: The network's own code, for the technician: `"429"`, `"InvalidSwap"`, `"550 5.1.1"`.

    All three may hold words of a server, and are kept as `printable` returns them.
    """

    published: Literal["no", "unknown"] = "no"

    def __init__(self, reason: AnyText, *, remedy: AnyText = "", code: str = "") -> None:
        self.reason: AnyText = printable(reason)
        self.remedy: AnyText = printable(remedy)
        self.code: str = printable(code)
        super().__init__(Text.join(" ", (self.reason, f"[{self.code}]" if self.code else "", self.remedy)))


class Refused(ChannelError):
    """The network's answer is final for this content.

    Attributes:
        fallback: What may be tried once instead. With `"standalone"`, the standalone wording, not as a reply. With
            `"prepare"`, the same post prepared again: the network refused the *request* (a record key, a lost upload,
            a deleted parent), not the content. With `"distinct"`, the distinct wording, unless an earlier attempt
            posted these words: the account already has a post in the same words.
    """

    def __init__(
        self,
        reason: AnyText,
        *,
        remedy: AnyText = "",
        code: str = "",
        fallback: Literal["standalone", "prepare", "distinct"] | None = None,
    ) -> None:
        self.fallback = fallback
        super().__init__(reason, remedy=remedy, code=code)


class Blocked(ChannelError):
    """Certainly not posted, and nothing more is on this channel until a person acts."""


class Unavailable(ChannelError):
    """Certainly not posted, and may be tried again.

    Attributes:
        retry_at: The earliest time of the next attempt. `None` leaves it to the delivery's own schedule.
        whole_channel: The network asked the *account* to wait, not only this post.
    """

    def __init__(
        self,
        reason: AnyText,
        *,
        retry_at: datetime | None = None,
        whole_channel: bool = False,
        remedy: AnyText = "",
        code: str = "",
    ) -> None:
        self.retry_at = retry_at
        self.whole_channel = whole_channel
        super().__init__(reason, remedy=remedy, code=code)


class Unconfirmed(ChannelError):
    """The post may or may not be out, as after a timeout or an unreadable answer.

    Attributes:
        retry_at: The earliest time at which the network wants to be called again. `None` if it has named none.
    """

    published: Literal["no", "unknown"] = "unknown"

    def __init__(
        self, reason: AnyText, *, retry_at: datetime | None = None, remedy: AnyText = "", code: str = ""
    ) -> None:
        self.retry_at = retry_at
        super().__init__(reason, remedy=remedy, code=code)
