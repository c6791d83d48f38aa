"""The meaning of a category in an installation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field

from policenotify.errors import SettingsError
from policenotify.model.cap import CapCategory, Certainty, Precision, ResponseType, Severity, Urgency
from policenotify.model.languages import best_match
from policenotify.model.lifecycle import FrozenModel, Stage
from policenotify.model.locale import Words
from policenotify.translation import Text
from policenotify.validation import did_you_mean

_Value = TypeVar("_Value")
_Texts = Annotated[
    Mapping[str, str],
    BeforeValidator(
        lambda value: ({"fr": value} if value else {}) if isinstance(value, str) else value,
        json_schema_input_type=str | Mapping[str, str],
    ),
]


class CategoryProfile(FrozenModel):
    """The meaning of a category: names, defaults, and the life of its incidents.

    Texts are looked up by BCP 47 tag. For a language without one, the first text given stands in.

    Attributes:
        code: The category's code.
        labels: Its public name by language, short. It heads a mail.
        hashtags: Without `#`, by language. The first one is the category's own.
        emoji: The sign of its openings. If empty, that of the stage.
        severity_labels: Its public name where it depends on the severity, by language.
        severity_hashtags: The category's own hashtag where it depends on the severity, by language.
        stage_marks: Its own words for stages, by language. They agree with no gender.
        severity_emojis: The sign of its openings where it depends on the severity.
        cap_categories: CAP 1.2 `category`, the main one first.
        event_code: Code in the *OASIS Event Terms List* 1.2, such as `OET-167`. If empty, it is not exported to CAP.
        response_types: CAP 1.2 `responseType`, the usual one first.
        severity: Used if the message gives none.
        urgency: Used if the message gives none. An end is always `Past`.
        certainty: Used if the message gives none.
        opens_incident: It opens incidents, which must be ended. Otherwise its messages stand alone (prevention).
        ongoing: Its openings are marked as under way, unless they begin later.
        start: What the start of its events is: they go on since then, a person was last seen then, or it occurred then.
        source: Who its messages come from, where they relay another service: `Météo-France`.
        contact: How readers reach the service about it: a telephone number or a mail address.
        discreet: Later messages and subjects of mails repeat nothing about a person: only category and place.
        needs_consent: Mails and SMS about it go only to people who consented to them, as art. L34-5 of the Code des
            postes et des communications électroniques demands for recruitment.
        judicial: It is about an inquiry or an operation of the police, and names in it block the publication.
        search: It looks for a person, whose name and picture may be shown if a person in charge agreed.
        appeal: It asks readers to come forward.
        needs_basis: It needs the agreement of a magistrate, a guardian or the person.
        general: It speaks to everyone, about no one person: prevention, weather, events.
        deletes_images: The end or cancellation of an incident deletes its posts with images, where the network can.
        lifetime: How long without news until the end is overdue. Without one, a day.
        precision: The finest precision of a place that may be published.
    """

    code: str
    labels: Mapping[str, Words]
    hashtags: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    emoji: str = ""
    severity_labels: Mapping[str, Mapping[Severity, Words]] = Field(default_factory=dict)
    severity_hashtags: Mapping[str, Mapping[Severity, str]] = Field(default_factory=dict)
    stage_marks: Mapping[str, Mapping[Stage, Words]] = Field(default_factory=dict)
    severity_emojis: Mapping[Severity, str] = Field(default_factory=dict)
    cap_categories: tuple[CapCategory, ...] = (CapCategory.OTHER,)
    event_code: str = ""
    response_types: tuple[ResponseType, ...] = (ResponseType.NONE,)
    severity: Severity = Severity.UNKNOWN
    urgency: Urgency = Urgency.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    opens_incident: bool = False
    ongoing: bool = False
    start: Literal["since", "last_seen", "occurred"] = "since"
    source: _Texts = Field(default_factory=dict)
    contact: _Texts = Field(default_factory=dict)
    discreet: bool = False
    needs_consent: bool = False
    judicial: bool = False
    search: bool = False
    appeal: bool = False
    needs_basis: bool = False
    general: bool = False
    deletes_images: bool = False
    lifetime: timedelta | None = None
    precision: Precision = Precision.STREET

    def label(self, language: str, severity: Severity | None = None) -> str:
        """Return the public name, with the colour that the severity has in this language."""
        by_severity = best_match(language, self.severity_labels) or {}
        usual = _in(self.labels, language, self.code.replace("_", " "))
        return by_severity.get(severity or self.severity, usual)

    def stage_mark(self, stage: Stage, language: str) -> str:
        """Return the category's own word for a stage, empty if it has none in this language."""
        return (best_match(language, self.stage_marks) or {}).get(stage, "")

    def source_in(self, language: str) -> str:
        """Return who its messages come from, empty for messages of the service's own."""
        return _in(self.source, language, "")

    def contact_in(self, language: str) -> str:
        """Return how readers reach the service, empty if they are not to."""
        return _in(self.contact, language, "")

    def hashtag(self, language: str, severity: Severity | None = None) -> str:
        """Return the category's own hashtag without `#`, empty if it has none."""
        by_severity = _in(self.severity_hashtags, language, {})
        usual = next(iter(_in(self.hashtags, language, ())), "")
        return by_severity.get(severity or self.severity, usual)

    def sign(self, severity: Severity | None = None) -> str:
        """Return the emoji of its openings, empty if it has none."""
        return self.severity_emojis.get(severity or self.severity, self.emoji)


def profile_of(code: str, profiles: Mapping[str, CategoryProfile]) -> CategoryProfile:
    """Return the profile of a category.

    Raises:
        SettingsError: The installation has none. The text names the nearest.
    """
    if code in profiles:
        return profiles[code]
    raise SettingsError(
        Text(
            "Nothing was sent. category: {code!r} is not a category here. {did_you_mean}",
            code=code,
            did_you_mean=did_you_mean(code, profiles),
        )
    )


def _in(texts: Mapping[str, _Value], language: str, default: _Value) -> _Value:
    found = best_match(language, texts)
    return next(iter(texts.values()), default) if found is None else found
