"""Twenty-six messages of a French police desk, for tests, examples and the demo.

Everything is invented but the places. Each sample has the history of its incident on two channels, `bluesky` and
`mail`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo

from policenotify.channel import PostRef
from policenotify.model.history import History, HistoryEntry, Outcome, PostedPart
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.defaults import fill_defaults
from policenotify.publishing.preparation import name_place
from policenotify.render.locales import PROFILES, profile_of

PARIS: Final = ZoneInfo("Europe/Paris")
SENDER: Final = "Police nationale de l'Hérault"
ACCOUNTS: Final = {"bluesky": "police34.example", "mail": "alerte@police34.example"}
"""The two channels of the samples, and their accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A message with the history of its incident.

    Attributes:
        id: Its name: `accident/opening`.
        at: Time of publication.
        message: As the desk writes it.
        history: Earlier messages of the incident.
    """

    id: str
    at: datetime
    message: Message
    history: History = field(default_factory=History)

    @property
    def resolved(self) -> Message:
        """The message with the defaults of its category and the names of its place."""
        return fill_defaults(
            name_place(self.message),
            profile_of(self.message.category, PROFILES),
            sender=SENDER,
            incident=self.message.incident,
            history=self.history,
            now=self.at,
        )

    def entry(self, sequence: int) -> HistoryEntry:
        """Return the message as the journal holds it after it was posted everywhere."""
        publication = f"01J{self.at:%Y%m%d%H%M%S}{sequence:09d}"
        posts = tuple(
            PostedPart(
                channel=channel,
                account=account,
                language=self.message.language,
                outcome=Outcome.POSTED,
                ref=PostRef(account=account, id=f"{channel}-{publication}"),
            )
            for channel, account in ACCOUNTS.items()
        )
        return HistoryEntry(publication=publication, sequence=sequence, message=self.resolved, at=self.at, posts=posts)


def _samples() -> tuple[Sample, ...]:
    text = (files(__package__) / "samples.toml").read_text("utf-8")
    samples: dict[str, Sample] = {}
    for table in tomllib.loads(text)["sample"]:
        values: dict[str, Any] = {
            name: value.replace(tzinfo=PARIS) if isinstance(value, datetime) else value for name, value in table.items()
        }
        name, follows = values.pop("id"), values.pop("follows", None)
        samples[name] = _first(name, **values) if follows is None else _follow_up(name, samples[follows], **values)
    return tuple(samples.values())


def _first(name: str, *, at: datetime, category: str, **fields: Any) -> Sample:  # noqa: ANN401 - any field
    """Return an opening, whose incident gets its name, or a standalone message."""
    opens = PROFILES[category].opens_incident
    lifecycle = Lifecycle(stage=Stage.OPENING, incident=name.partition("/")[0]) if opens else Lifecycle()
    return Sample(
        id=name, at=at, message=Message.model_validate({"category": category, "lifecycle": lifecycle, **fields})
    )


def _follow_up(name: str, before: Sample, *, at: datetime, stage: str, **fields: Any) -> Sample:  # noqa: ANN401 - any field
    """Return a message that follows an earlier sample."""
    earlier = before.history.entries
    entries = (*earlier, before.entry(len(earlier) + 1))
    incident = before.message.incident
    corrects = entries[-1].publication if stage == Stage.CORRECTION else None
    message = before.message.followed_by(Stage(stage), incident=incident, corrects=corrects, **fields)
    return Sample(id=name, at=at, message=message, history=History(incident=incident, entries=entries))


SAMPLES: Final = _samples()
"""The samples, each after those it follows."""
