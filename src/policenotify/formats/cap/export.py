"""The alerts of a feed: one for each item that a warning system can use.

An alert that is out never changes, so it follows from its item and those before it, never from a later one. Only a
withdrawn item becomes a `Cancel` without words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from policenotify.formats.cap.alert import (
    Alert,
    AlertArea,
    AlertStatus,
    Circle,
    Info,
    MessageType,
    Pair,
    Reference,
    Resource,
    Scope,
    kilometres,
)
from policenotify.formats.cap.french_codes import CODES
from policenotify.formats.cap.writer import cap_time, write
from policenotify.formats.feed import Feed, Site, Thread
from policenotify.formats.item import Item
from policenotify.formats.places import place_words
from policenotify.formats.words import words_in
from policenotify.model.cap import Certainty, ResponseType, Severity, Urgency
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import Translation
from policenotify.model.post import EventInfo

VALIDITY: Final = timedelta(hours=24)
"""How long an alert without an end is valid, unless news of its category may take longer."""

AFTER_THE_END: Final = timedelta(hours=1)
"""How long the end of an incident is shown."""

EVENT_CODES: Final = "OET:v1.2"
"""The list of event codes: OASIS Event Terms List 1.2."""

_TYPES: Final = {
    Stage.OPENING: MessageType.ALERT,
    Stage.STANDALONE: MessageType.ALERT,
    Stage.CANCELLATION: MessageType.CANCEL,
}


def alert_files(feed: Feed, thread: Thread) -> Mapping[str, bytes]:
    """Return the files of a thread's alerts by their paths. See `alerts`."""
    site = feed.site
    return {site.alert_path(item.id): write(alert) for item, alert in alerts(site, thread)}


def alerts(site: Site, thread: Thread) -> Iterator[tuple[Item, Alert]]:
    """Yield the alert of each item that has one.

    An item has none if its feed has no sender, its category no event code, or if neither it nor an alert before it
    has a place; nor has an end or a cancellation of what was no alert.
    """
    earlier: list[Reference] = []
    areas: tuple[AlertArea, ...] = ()
    for item, event in _exported(site, thread):
        areas = _areas(item.message.location) or areas
        yield item, _alert(site, item, event, areas, tuple(earlier))
        earlier.append(_reference(site, item))


def alert_ids(site: Site, thread: Thread) -> frozenset[str]:
    """Return the ids of the items that have an alert, for links to it."""
    return frozenset(item.id for item, _ in _exported(site, thread))


def _exported(site: Site, thread: Thread) -> Iterator[tuple[Item, EventInfo]]:
    begun = False
    for item in thread.items if site.cap_sender and "cap" in site.formats else ():
        final = item.stage in {Stage.END, Stage.CANCELLATION}
        if item.event and item.event.code and (begun or (item.is_located and not final)):
            begun = True
            yield item, item.event


def _reference(site: Site, item: Item) -> Reference:
    return Reference(sender=site.cap_sender, identifier=item.id, sent=item.published_at.astimezone(site.zone))


def _alert(
    site: Site, item: Item, event: EventInfo, areas: tuple[AlertArea, ...], earlier: tuple[Reference, ...]
) -> Alert:
    status = AlertStatus.EXERCISE if item.message.exercise else AlertStatus.ACTUAL
    own = _reference(site, item)
    if item.withdrawn_at is not None:
        return Alert(
            identifier=f"{item.id}-withdrawn",
            sender=site.cap_sender,
            sent=item.withdrawn_at.astimezone(site.zone),
            status=status,
            message_type=MessageType.CANCEL,
            scope=Scope.PUBLIC,
            note=words_in(item.language).withdrawn,
            references=(own,),
            incidents=item.thread,
        )
    return Alert(
        identifier=item.id,
        sender=own.sender,
        sent=own.sent,
        status=status,
        message_type=_TYPES.get(item.stage, MessageType.UPDATE) if earlier else MessageType.ALERT,
        scope=Scope.PUBLIC,
        note=item.title if earlier else "",
        references=earlier,
        incidents=item.thread,
        infos=tuple(_info(site, item, event, areas, words) for words in item.message.wordings),
    )


def _info(site: Site, item: Item, event: EventInfo, areas: tuple[AlertArea, ...], words: Translation) -> Info:
    message, ended = item.message, item.stage is Stage.END
    known = words.known
    sentences = (words.description, known.confirmed if known else "", known.unconfirmed if known else "")
    start = message.starts_at.astimezone(site.zone) if message.starts_at and not ended else None
    promised = message.next_update_at
    alts = words.alts or tuple(picture.alt for picture in item.pictures)
    return Info(
        language=words.language,
        categories=event.categories,
        event=event.label(words.language),
        responses=(ResponseType.ALL_CLEAR,) if ended else event.responses,
        urgency=Urgency.PAST if ended else message.urgency or Urgency.UNKNOWN,
        severity=message.severity or Severity.UNKNOWN,
        certainty=message.certainty or Certainty.UNKNOWN,
        event_codes=(Pair(name=EVENT_CODES, value=event.code),),
        onset=start,
        expires=_expires(item, event).astimezone(site.zone),
        sender_name=item.sender or site.publisher,
        headline=words.headline,
        description="\n".join(filter(None, sentences)) or words.headline,
        instruction=words.instruction,
        web=site.message_url(item.id),
        parameters=(Pair(name="nextUpdate", value=cap_time(promised.astimezone(site.zone))),) if promised else (),
        resources=tuple(
            Resource(description=alt, mime_type=picture.media_type, uri=site.picture_url(picture))
            for picture, alt in zip(item.pictures, alts, strict=False)
        ),
        areas=areas,
    )


def _expires(item: Item, event: EventInfo) -> datetime:
    """Return when a reader drops the alert: an incident that is still open must not vanish early."""
    at = item.published_at
    if item.stage is Stage.END:
        return at + AFTER_THE_END
    expires = item.message.expires_at
    if expires is None:
        return at + max(VALIDITY, event.lifetime or VALIDITY)
    return max(expires, at + AFTER_THE_END)


def _areas(place: Location | None) -> tuple[AlertArea, ...]:
    if place is None:
        return ()
    words = place_words(place) or (place.department and f"Département {place.department}") or "France"
    point = None if place.area else place.point
    area = AlertArea(
        description=words,
        polygons=tuple(tuple((y, x) for x, y in ring) for ring in _outer(place)),
        circles=(Circle(latitude=point.latitude, longitude=point.longitude, radius=kilometres(point.accuracy)),)
        if point
        else (),
        geocodes=_codes(place.commune, place.department),
    )
    others = tuple(
        AlertArea(description=f"Département {each}", geocodes=_codes(None, each)) for each in place.also_departments
    )
    return tuple(each for each in (area, *others) if each.is_coded)


def _outer(place: Location) -> Iterator[tuple[tuple[float, float], ...]]:
    """Yield the outer rings: CAP has no holes, and its area may be too large rather than too small."""
    area = place.area
    if area is not None:
        polygons = (area.coordinates,) if area.type == "Polygon" else area.coordinates
        yield from (polygon[0] for polygon in polygons)  # type: ignore[misc]  # `type` decides the depth


def _codes(commune: str | None, department: str | None) -> tuple[Pair, ...]:
    if commune:
        return (Pair(name="INSEE", value=commune),)
    return (Pair(name="NUTS3", value=CODES[department]),) if department in CODES else ()
