"""The page's values, drawn together from what was said, how it is worded, what became of it and what readers have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from policenotify.cli.context import plain
from policenotify.cli.report.cards import STAGES, Thread, tone
from policenotify.cli.report.networks import ORDER, Look, look_of
from policenotify.cli.report.pieces import initials
from policenotify.cli.report.source import Told
from policenotify.cli.report.values import (
    Concern,
    Device,
    Moment,
    Page,
    Remark,
    Section,
    State,
    Step,
    Tone,
)
from policenotify.findings import Finding, Level
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Stage
from policenotify.publishing.publisher import Publisher
from policenotify.render.locales import best_match, profile_of
from policenotify.render.places import place_of

_LEVELS: Final[dict[Level, State]] = {Level.ERROR: "bad", Level.WARNING: "wait", Level.INFO: "none"}
_COLUMNS: Final = 3  # of the widest page
_MAILBOX: Final = 2  # columns, where there is room


def draw(kind: Literal["demo", "preview"], told: Sequence[Told], publisher: Publisher) -> Page:
    """Draw the page.

    Args:
        kind: What it is made by.
        told: What was said, or would be, in order; at least one.
        publisher: Who said it: its channels, profiles, phrases and zone.
    """
    sections = tuple(_section(f"s{number}", group, publisher) for number, group in enumerate(_groups(told), 1))
    concerns = tuple(_concerns(sections))
    return Page(
        kind=kind,
        sender=plain(publisher.sender),
        zone=str(publisher.zone),
        first=_moment(told[0], publisher),
        last=_moment(told[-1], publisher),
        figures=tuple(_figures(told, sections)),
        concerns=concerns,
        looks=tuple(
            sorted(
                {device.look.name: device.look for section in sections for device in section.devices}.values(),
                key=_rank,
            )
        ),
        closing=_closing(told, concerns),
        sections=sections,
    )


def _groups(told: Sequence[Told]) -> list[list[Told]]:
    """By incident, or by the message that one corrects; in the order of their beginnings."""
    groups: dict[str, list[Told]] = {}
    for number, one in enumerate(told):
        own = one.publication.id if one.publication else str(number)
        about = one.message.incident or one.message.lifecycle.corrects or own
        groups.setdefault(about, []).append(one)
    return list(groups.values())


def _moment(told: Told, publisher: Publisher) -> Moment:
    return Moment(at=told.at.astimezone(publisher.zone))


def _section(name: str, group: Sequence[Told], publisher: Publisher) -> Section:
    first = group[0].message
    words = best_match(first.language, publisher.locales) or next(iter(publisher.locales.values()))
    severity = first.severity if first.severity and first.severity is not Severity.UNKNOWN else None
    return Section(
        id=name,
        label=plain(profile_of(first.category, publisher.profiles).label(first.language)),
        place=plain(place_of(first.location, words).one_line()),
        language=first.language,
        headline=plain(first.headline),
        incident=first.incident or "" if first.stage is not Stage.STANDALONE else "",
        severity=severity.value if severity else "",
        state=_state(group, publisher),
        tone=_section_tone(group),
        steps=tuple(_step(f"{name}-m{number}", one, publisher) for number, one in enumerate(group, 1)),
        devices=_devices(name, group, publisher),
    )


def _state(group: Sequence[Told], publisher: Publisher) -> str:
    last = group[-1]
    at = _moment(last, publisher).clock
    match last.message.stage:
        case Stage.END:
            return f"Over at {at}"
        case Stage.CANCELLATION:
            return f"Cancelled at {at}"
        case _ if last.message.incident:
            return "Under way"
        case _:
            return "Said once"


def _section_tone(group: Sequence[Told]) -> Tone:
    """That of the last message; a correction changes nothing of the situation."""
    telling = [one.message for one in group if one.message.stage is not Stage.CORRECTION]
    return tone(telling[-1] if telling else group[-1].message)


def _step(name: str, told: Told, publisher: Publisher) -> Step:
    message = told.message
    found = told.publication.findings if told.publication else told.preview.findings
    return Step(
        id=name,
        stage=STAGES[message.stage],
        tone=tone(message),
        at=_moment(told, publisher),
        language=message.language,
        headline=plain(message.headline),
        description=plain(message.description),
        instruction=plain(message.instruction),
        exercise=message.exercise,
        remarks=tuple(map(_remark, found)),
    )


def _remark(finding: Finding) -> Remark:
    return Remark(
        code=finding.code,
        level=finding.level.value,
        state=_LEVELS[finding.level],
        reason=plain(finding.reason),
        remedy=plain(finding.remedy),
    )


def _devices(section: str, group: Sequence[Told], publisher: Publisher) -> tuple[Device, ...]:
    threads: dict[str, Thread] = {}
    looks = {name: look_of(channel.network) for name, channel in publisher.channels.items()}

    def split_thread(channel: str) -> Thread:
        if channel not in threads:
            device = f"{section}-d{len(threads) + 1}"
            threads[channel] = Thread(publisher.channels[channel], looks[channel], device, publisher.zone)
        return threads[channel]

    for told in group:
        for wording, seen in told.worded:
            split_thread(wording.target.channel).add(told, wording, seen)
        for receipt in told.unworded:
            split_thread(receipt.channel).add_unworded(told, receipt.operation, receipt.language, receipt)
        for leg in () if told.publication else told.preview.deletions:
            split_thread(leg.channel).add_unworded(told, leg.operation, leg.language, None)
    ordered = sorted(threads, key=lambda name: (_rank(looks[name]), list(publisher.channels).index(name)))
    widths = columns([looks[name].form == "mailbox" for name in ordered])
    speaker = plain(group[0].message.sender or publisher.sender)
    return tuple(
        Device(
            id=threads[name].device,
            look=looks[name],
            channel=plain(name),
            name=speaker,
            initials=initials(speaker),
            handle=plain(looks[name].handle(publisher.channels[name].account)),
            columns=width,
            cards=tuple(threads[name].cards),
        )
        for name, width in zip(ordered, widths, strict=True)
    )


def _rank(look: Look) -> int:
    return ORDER.index(look.network) if look.network in ORDER else len(ORDER)


def columns(wide: Sequence[bool]) -> tuple[tuple[int, int], ...]:
    """How many columns each device takes, where there are two and where there are three, so that no row has a hole.

    Args:
        wide: Of each device, whether it wants more room than the others.
    """
    return tuple(zip(*(_filled(wide, room) for room in (_COLUMNS - 1, _COLUMNS)), strict=True))


def _filled(wide: Sequence[bool], room: int) -> list[int]:
    rows: list[list[int]] = []
    for wants in wide:
        left = room - sum(rows[-1]) if rows else 0
        if not left:
            rows.append([])
            left = room
        rows[-1].append(min(_MAILBOX, left) if wants else 1)
    for row in rows:
        row[-1] += room - sum(row)  # the last of a row takes what is left of it
    return [width for row in rows for width in row]


def _figures(told: Sequence[Told], sections: Sequence[Section]) -> Iterator[tuple[str, str]]:
    incidents = [section for section in sections if section.incident]
    over = sum(section.tone == "clear" for section in incidents)
    devices = [device for section in sections for device in section.devices]
    out = sum(card.out for device in devices for card in device.cards)
    yield str(len(told)), "message said once" if len(told) == 1 else "messages, each said once"
    if incidents:
        yield str(len(incidents)), f"incident{'s' * (len(incidents) > 1)}, {over or 'none'} over"
    channels = len({device.channel for device in devices})
    where = f"{channels} channel{'s' * (channels != 1)}"
    if any(one.publication for one in told):
        yield str(out), f"post{'s' * (out != 1)} out, on {where}"
    else:
        yield str(channels), f"channel{'s' * (channels != 1)} that would say it"


def _concerns(sections: Sequence[Section]) -> Iterator[Concern]:
    """What is wrong, once: the same trouble of a channel may have kept many posts from going out."""
    for step in (step for section in sections for step in section.steps):
        for remark in (one for one in step.remarks if one.state == "bad"):
            yield Concern(id=step.id, what=f"{step.stage} of {step.at.clock}: {remark.code}", reason=remark.reason)
    alike: dict[tuple[str, str, str], list[str]] = {}
    for device in (device for section in sections for device in section.devices):
        for card in device.cards:
            told = card.verdict
            if told and told.state in {"bad", "wait"}:
                alike.setdefault((device.channel, told.label, told.reason or told.meaning), []).append(card.id)
    for (channel, label, reason), ids in alike.items():
        count = f", {len(ids)} posts" if len(ids) > 1 else ""
        yield Concern(id=ids[0], what=f"{channel}: {label.lower()}{count}", reason=reason)


def _closing(told: Sequence[Told], concerns: Sequence[Concern]) -> str:
    if all(one.publication for one in told):
        return "All in order: nobody needs to act." if not concerns else "Somebody needs to act; see below."
    if all(one.preview.allowed for one in told):
        return "Nothing was sent: this is how it would read."
    return "It may not go out as it is; see below. Nothing was sent."
