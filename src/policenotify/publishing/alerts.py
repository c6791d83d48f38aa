"""Foreign CAP alerts, which become drafts and are never published by themselves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from policenotify.errors import InvalidAlert
from policenotify.findings import Finding, Level
from policenotify.model.draft import Draft
from policenotify.model.languages import best_match
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.publisher import Publisher
from policenotify.render.locales.category import profile_of
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from policenotify.formats.cap.fields import Imported
    from policenotify.formats.cap.reader import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedAlert:
    """A draft that was made from an alert.

    Attributes:
        draft: The draft.
        known: The alert had been imported before. Nothing was changed.
        findings: What the desk should know of the alert.
    """

    draft: Draft
    known: bool
    findings: tuple[Finding, ...]


def import_alert(
    publisher: Publisher,
    content: bytes,
    *,
    actor: str,
    category: str | None = None,
    language: str = "fr",
) -> ImportedAlert:
    """Store the draft of an alert. The same alert has the same draft, whatever became of that.

    The draft's key follows from sender, identifier and time of the alert. By it an update, end or cancellation finds
    the incident of the alerts that it names. The category is for an alert that does not show it. Other languages than
    that of the desk become translations.

    Raises:
        InvalidAlert: It is not an alert of CAP 1.2, is not for the public, ends or cancels one that is not known here,
            or changes one of another sender.
    """
    from policenotify.formats.cap.fields import imported  # noqa: PLC0415 - few who import the package import alerts

    codes: dict[str, list[str]] = {}
    for code, profile in publisher.installation.profiles.items():
        if profile.event_code:
            codes.setdefault(profile.event_code, []).append(code)
    if category is not None:
        profile_of(category, publisher.installation.profiles)
    alert = imported(content, codes=codes, language=language, category=category)
    key = _key_of(alert.reference)
    known = publisher.journal.drafts.get(key)
    if known is not None:
        other = Text("The draft {id} has the name of this alert, and not its text.", id=known.id)
        findings = () if _is_of(known, alert) else (_remark("PN708", "identifier", other),)
        return ImportedAlert(draft=known, known=True, findings=(*findings, *alert.findings))
    lifecycle, before = _follow(publisher, alert)
    words = _cancelling(publisher, before) if before and "headline" not in alert.fields else {}
    message = Message.model_validate({**words, **alert.fields, "lifecycle": lifecycle})
    draft = publisher.drafts.create(message, actor=actor, key=key)
    unknown = Text("It changes an alert that was not imported here, or whose draft is not published: withdraw that.")
    findings = () if before or alert.kind == "Alert" else (_remark("PN706", "lifecycle", unknown),)
    return ImportedAlert(draft=draft, known=False, findings=(*alert.findings, *findings))


def _key_of(reference: Reference) -> str:
    return f"cap-{_digest(reference)[:32]}"


def _is_of(draft: Draft, alert: Imported) -> bool:
    """Return True if the first revision of a draft was made from an alert, whatever category was given for it."""
    if "headline" not in alert.fields:
        return True
    own = {"category": draft.message.category, "lifecycle": draft.message.lifecycle}
    message = Message.model_validate({**alert.fields, **own})
    return message.digest() == draft.revisions[0].digest


def _digest(reference: Reference) -> str:
    sent = reference.sent.astimezone(UTC).isoformat()
    return hashlib.sha256(f"{reference.sender.casefold()},{reference.identifier},{sent}".encode()).hexdigest()


def _follow(publisher: Publisher, alert: Imported) -> tuple[Lifecycle, Message | None]:
    """Return the place of an alert in its incident, and the published message that it changes, if any."""
    if alert.kind == "Alert":
        return _first(publisher, alert), None
    if any(each.sender.casefold() != alert.reference.sender.casefold() for each in alert.references):
        raise InvalidAlert(Text("it changes an alert of another sender. Ask that sender for their own update"))
    drafts = (publisher.journal.drafts.get(_key_of(each)) for each in reversed(alert.references))
    known = [draft for draft in drafts if draft is not None]
    published = next((draft for draft in known if draft.publication), None)
    cancels = alert.kind == "Cancel"
    if published is None:
        if cancels or alert.ends:
            drafted = Text("whose draft {id} is not published. Withdraw that", id=known[0].id) if known else ""
            waiting = drafted or Text("that was not imported here")
            raise InvalidAlert(Text("it ends or cancels an alert {waiting}", waiting=waiting))
        return known[0].message.lifecycle if known else _first(publisher, alert), None
    before = published.message
    if before.incident is None:
        stage = Stage.CANCELLATION if cancels else Stage.CORRECTION
        return Lifecycle(stage=stage, corrects=published.publication), before
    stage = Stage.CANCELLATION if cancels else Stage.END if alert.ends else Stage.UPDATE
    return Lifecycle(stage=stage, incident=before.incident), before


def _cancelling(publisher: Publisher, before: Message) -> dict[str, object]:
    """Return the fields of a cancellation without words, by the message that it cancels."""
    locale = best_match(before.language, publisher.installation.locales)
    same = {name: getattr(before, name) for name in ("category", "language", "location", "source", "severity")}
    return {**same, "headline": locale.untranslated_cancellation if locale else before.headline}


def _first(publisher: Publisher, alert: Imported) -> Lifecycle:
    if not profile_of(alert.fields["category"], publisher.installation.profiles).opens_incident:
        return Lifecycle()
    return Lifecycle(stage=Stage.OPENING, incident=f"cap-{_digest(alert.reference)[:16]}")


def _remark(code: str, field: str, reason: AnyText) -> Finding:
    remedy = Text("Compare the draft with the alert before you submit it.")
    return Finding(code=code, level=Level.ADVISE, field=field, reason=reason, remedy=remedy)
