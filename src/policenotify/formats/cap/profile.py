"""What Google's profile of CAP demands of public alerts, and what an importing desk should know of a foreign one."""

from __future__ import annotations

from collections.abc import Iterator

from policenotify.findings import Finding, Level
from policenotify.formats.cap.alert import Alert, Info, MessageType
from policenotify.translation import AnyText, Text

_SOURCE = "Google Public Alerts CAP v1.0"


def missing(alert: Alert) -> tuple[Finding, ...]:
    """Return a finding for each error of Google's profile. Urgency, severity and certainty are there by type."""
    return tuple(
        Finding(
            code="PN701",
            level=Level.ADVISE,
            field=field,
            reason=reason,
            remedy=Text("Complete the draft before you submit it."),
            source=_SOURCE,
        )
        for field, reason in dict.fromkeys(_errors(alert))
    )


def _errors(alert: Alert) -> Iterator[tuple[str, AnyText]]:
    if alert.message_type in {MessageType.UPDATE, MessageType.CANCEL} and not alert.references:
        yield "references", Text("The alert changes another one and does not name it.")
    if not alert.infos:
        yield "info", Text("The alert has no content.")
    for info in alert.infos:
        yield from _errors_of(info, alert)
        if set(info.categories) != set(alert.infos[0].categories):
            yield "category", Text("The parts of the alert have different categories.")
        if set(info.event_codes) != set(alert.infos[0].event_codes):
            yield "eventCode", Text("The parts of the alert have different event codes.")
        if any(other.language == info.language and other.event != info.event for other in alert.infos):
            yield "event", Text("Parts of the alert in one language have different events.")


def _errors_of(info: Info, alert: Alert) -> Iterator[tuple[str, AnyText]]:
    if not info.description:
        yield "description", Text("The alert has no description.")
    if not info.web:
        yield "web", Text("The alert has no link to more information.")
    if info.expires is None:
        yield "expires", Text("The alert has no end of its validity.")
    elif (info.effective or alert.sent) > info.expires:
        yield "effective", Text("The alert expires before it begins.")
    if not info.areas:
        yield "area", Text("The alert has no area.")
    if not all(area.is_coded for area in info.areas):
        yield "area", Text("An area of the alert is given in words only.")
