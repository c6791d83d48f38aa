"""The report: messages by incident, with the devices on which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from policenotify.channel import ChannelConfig
from policenotify.cli.report.cards import OPERATIONS, ORDER, Device, Look
from policenotify.cli.report.source import ReaderPost, ReportEntry, Tone
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.publishing.publisher import Publisher
from policenotify.render.locales import best_match, profile_of
from policenotify.render.places import place_of
from policenotify.translation import AnyText, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The messages of an incident, or a standalone message with its corrections."""

    id: str
    entries: Sequence[ReportEntry]
    publisher: Publisher
    devices: Sequence[Device]

    @property
    def first(self) -> Message:
        """The first message."""
        return self.entries[0].message

    @property
    def label(self) -> str:
        """What the public calls the category."""
        return profile_of(self.first.category, self.publisher.installation.profiles).label(self.first.language)

    @property
    def place(self) -> str:
        """Where it is."""
        locales = self.publisher.installation.locales
        return place_of(
            self.first.location, best_match(self.first.language, locales) or next(iter(locales.values()))
        ).one_line()

    @property
    def incident(self) -> str:
        """Id of the incident; empty for a standalone message."""
        return self.first.incident or "" if self.first.stage is not Stage.STANDALONE else ""

    @property
    def severity(self) -> Severity | None:
        """How severe it is, if that is known."""
        return None if self.first.severity is Severity.UNKNOWN else self.first.severity

    @property
    def status(self) -> AnyText:
        """Where the incident stands."""
        last = self.entries[-1]
        match last.message.stage:
            case Stage.END:
                return Text("Over at {at}", at=f"{last.at:%H:%M}")
            case Stage.CANCELLATION:
                return Text("Cancelled at {at}", at=f"{last.at:%H:%M}")
            case _ if last.message.incident:
                return Text("Under way")
            case _:
                return Text("Standalone")

    @property
    def tone(self) -> Tone:
        """The urgency of the last message. A correction does not change the situation."""
        last = [entry for entry in self.entries if entry.message.stage is not Stage.CORRECTION] or self.entries
        return last[-1].tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report, for the template."""

    kind: Literal["demo", "preview"]
    publisher: Publisher
    entries: Sequence[ReportEntry]
    sections: Sequence[Section]

    @property
    def looks(self) -> list[Look]:
        """The networks that are on the page, in its order."""
        looks = {device.look.name: device.look for section in self.sections for device in section.devices}
        return sorted(looks.values(), key=_rank)

    @property
    def figures(self) -> Iterator[tuple[int, Text]]:
        """Numbers, and what each counts."""
        incidents = [section for section in self.sections if section.incident]
        over = sum(section.tone == "clear" for section in incidents)
        devices = [device for section in self.sections for device in section.devices]
        count = len(self.entries)
        yield count, Text.counted("message, published once", "messages, each published once", count=count)
        if count := len(incidents):
            yield count, Text.counted("incident, {over} over", "incidents, {over} over", count=count, over=over)
        if any(entry.publication for entry in self.entries):
            count = sum(card.is_published for device in devices for card in device.cards)
            yield count, Text.counted("post published", "posts published", count=count)
        else:
            count = len({device.channel.name for device in devices})
            yield count, Text.counted("channel that would publish it", "channels that would publish it", count=count)

    @property
    def needs_person(self) -> bool:
        """Whether a check forbids a message, or a post is refused, held, in doubt or waits."""
        cards = (card for section in self.sections for device in section.devices for card in device.cards)
        return any(finding.blocks for entry in self.entries for finding in entry.findings) or any(
            card.state in {"bad", "wait"} for card in cards
        )

    @property
    def closing(self) -> AnyText:
        """What holds for the whole report, in a sentence."""
        if all(entry.publication for entry in self.entries):
            if self.needs_person:
                return Text("A person needs to act; see below.")
            return Text("Everything is right: there is nothing to do.")
        if all(entry.preview.allowed for entry in self.entries):
            return Text("Nothing was sent: this is how it would read.")
        return Text("It may not be published as it is; see below. Nothing was sent.")


def draw(kind: Literal["demo", "preview"], entries: Sequence[ReportEntry], publisher: Publisher) -> Report:
    """Return a report."""
    local = [replace(entry, at=entry.at.astimezone(publisher.installation.zone)) for entry in entries]
    groups: dict[str, list[ReportEntry]] = {}
    for number, entry in enumerate(local):
        own = entry.id or str(number)
        groups.setdefault(entry.message.incident or entry.message.lifecycle.corrects or own, []).append(entry)
    sections = [
        Section(id=f"s{number}", entries=group, publisher=publisher, devices=_devices(f"s{number}", group, publisher))
        for number, group in enumerate(groups.values(), 1)
    ]
    return Report(kind=kind, publisher=publisher, entries=local, sections=sections)


def _devices(section: str, entries: Sequence[ReportEntry], publisher: Publisher) -> list[Device]:
    installation = publisher.installation
    devices = {
        name: Device(
            id=f"{section}-d{number}",
            channel=channel,
            sender=entries[0].message.sender or installation.sender,
            zone=installation.zone,
        )
        for number, (name, channel) in enumerate(installation.channel_configs.items(), 1)
    }
    for entry in entries:
        for post, shown in entry.posts:
            devices[post.target.channel].add_post(entry, post, shown)
        for receipt in entry.receipts_without_post:
            wording = OPERATIONS[receipt.operation]
            devices[receipt.channel].add(entry, receipt.language, wording=wording, receipt=receipt)
        for target in () if entry.publication else entry.preview.deletions:
            devices[target.channel].add(entry, target.language, wording=OPERATIONS[target.operation])
    return _placed(device for device in devices.values() if device.cards)


def draw_networks(networks: Iterable[tuple[ChannelConfig, Iterable[ReaderPost]]], sender: str) -> list[Device]:
    """Return what the readers of networks see, whose messages are not known."""
    devices = []
    for number, (config, posts) in enumerate(networks, 1):
        device = Device(id=f"d{number}", channel=config, sender=sender)
        for shown in posts:
            device.add(None, "", references=(shown.id,), answers=shown.parent, reader_post=shown)
        devices.append(device)
    return _placed(devices)


def _placed(devices: Iterable[Device]) -> list[Device]:
    """Return the devices in the order of the page, the posts of each thread together."""
    devices = list(devices)
    for device in devices:
        place = {card: number for number, card in enumerate(device.cards)}
        device.cards.sort(key=lambda card: place[card.root])
    return sorted(devices, key=lambda shown: _rank(shown.look))


def _rank(look: Look) -> int:
    return ORDER.index(look.network) if look.network in ORDER else len(ORDER)
