"""What a category means in an installation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from policenotify.errors import SettingsError
from policenotify.model.cap import CapCategory, Certainty, Precision, ResponseType, Severity, Urgency
from policenotify.model.languages import tags_for
from policenotify.validation import did_you_mean

_Text = TypeVar("_Text")


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryProfile:
    """What a category means: its words, its defaults, and the life of its incidents.

    Texts by language are looked up by BCP 47 tag; for a language that is missing, the first one given stands in.

    Attributes:
        code: The category's code.
        labels: What the public calls it, short, by language: it heads a mail.
        hashtags: Without `#`, by language; the first one is *the* hashtag of the category.
        emoji: Its sign in an opening; empty: that of the stage.
        severity_hashtags: The first hashtag where it depends on how bad it is (weather vigilance), by language.
        severity_emojis: The sign, likewise.
        cap_categories: CAP 1.2 `category`, the main one first.
        event_code: Code in the *OASIS Event Terms List* 1.2, such as `OET-167`; empty: it is not exported to CAP.
        response_types: CAP 1.2 `responseType`, the usual one first.
        severity: Unless the message says otherwise.
        urgency: Unless the message says otherwise; an end is always `Past`.
        certainty: Unless the message says otherwise.
        opens_incident: It opens incidents, whose end is owed; else it is said once (prevention, results, recruitment).
        ongoing: An opening without a word of its own for it says that the event is under way.
        discreet: What the opening said of a person is never said again: later messages, and the subjects of mails,
            name the category and the place only.
        lifetime: How long without news until the end is overdue; `None`: a day.
        precision: The finest precision that the public may be told.
    """

    code: str
    labels: Mapping[str, str]
    hashtags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    emoji: str = ""
    severity_hashtags: Mapping[str, Mapping[Severity, str]] = field(default_factory=dict)
    severity_emojis: Mapping[Severity, str] = field(default_factory=dict)
    cap_categories: tuple[CapCategory, ...] = (CapCategory.OTHER,)
    event_code: str = ""
    response_types: tuple[ResponseType, ...] = (ResponseType.NONE,)
    severity: Severity = Severity.UNKNOWN
    urgency: Urgency = Urgency.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    opens_incident: bool = False
    ongoing: bool = False
    discreet: bool = False
    lifetime: timedelta | None = None
    precision: Precision = Precision.STREET

    def label(self, language: str) -> str:
        """What the public calls it."""
        return _in(self.labels, language, self.code.replace("_", " "))

    def hashtag(self, language: str, severity: Severity | None = None) -> str:
        """The hashtag of the category, without `#`; empty when it has none."""
        by_severity = _in(self.severity_hashtags, language, {})
        usual = next(iter(_in(self.hashtags, language, ())), "")
        return by_severity.get(severity or self.severity, usual)

    def sign(self, severity: Severity | None = None) -> str:
        """The emoji of its opening; empty when it has none."""
        return self.severity_emojis.get(severity or self.severity, self.emoji)


def profile_of(code: str, profiles: Mapping[str, CategoryProfile]) -> CategoryProfile:
    """The profile of a category.

    Raises:
        SettingsError: The installation has none; the text names the nearest.
    """
    if code in profiles:
        return profiles[code]
    raise SettingsError(f"Nothing was sent. category: {code!r} is no category here. {did_you_mean(code, profiles)}")


def _in(texts: Mapping[str, _Text], language: str, otherwise: _Text) -> _Text:
    for tag in (*tags_for(language), *texts):
        if tag in texts:
            return texts[tag]
    return otherwise
