"""The settings that every channel has, whatever its network."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Final, Generic, Literal, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from policenotify.model.lifecycle import FrozenModel
from policenotify.model.message import Language
from policenotify.model.rate import Rate
from policenotify.text.links import find_mentions
from policenotify.translation import Text

OnUnknown: TypeAlias = Literal["resend", "hold"]
"""The choice for a delivery in doubt without a look-up: send it again, or hold it for a person to resolve."""

OnCorrection: TypeAlias = Literal["reply", "edit", "both"]
"""How a correction is published: as a reply to the wrong post, as an edit of it, or both."""

_Choice_co = TypeVar("_Choice_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BySeverity(Generic[_Choice_co]):
    """A choice of an installation that depends on a message's severity.

    Attributes:
        severe: The choice at severity Severe and above.
        minor: The choice below Severe, and for a message without a severity.
    """

    severe: _Choice_co
    minor: _Choice_co

    def choice(self, *, severe: bool) -> _Choice_co:
        """Return the choice for a severity."""
        return self.severe if severe else self.minor


DEFAULT_ON_UNKNOWN: Final[BySeverity[OnUnknown]] = BySeverity(severe="resend", minor="hold")
"""A severe post in doubt is sent again, since a missing warning is worse than a double one. Any other one is held."""

DEFAULT_ON_CORRECTION: Final[BySeverity[OnCorrection]] = BySeverity(severe="both", minor="edit")
"""A severe correction also replies, so that readers of the wrong post see it. Any other one only edits."""


def by_severity(default: BySeverity[str], *choices: str) -> tuple[PlainValidator, PlainSerializer, WithJsonSchema]:
    """Return the annotations of a field that takes one choice for every message, or a table with one by severity.

    Args:
        default: The choices that a table leaves open.
        choices: The possible choices.
    """
    severities = ("severe", "minor")  # the fields of BySeverity
    choice: dict[str, object] = {"type": "string", "enum": list(choices)}
    table = {"properties": dict.fromkeys(severities, choice), "additionalProperties": False, "minProperties": 1}
    wrong = Text(
        'write {forms} for every message, or {{ severe = "{severe}", minor = "{minor}" }}',
        forms=" or ".join(f'"{each}"' for each in choices),
        severe=default.severe,
        minor=default.minor,
    )

    def read(value: object) -> BySeverity[str]:
        value = asdict(value) if isinstance(value, BySeverity) else value
        given = dict.fromkeys(severities, value) if isinstance(value, str) else value
        given = given if isinstance(given, dict) else {}
        if not given or not all(key in severities and each in choices for key, each in given.items()):
            raise ValueError(wrong)
        return replace(default, **given)

    schema = WithJsonSchema({"anyOf": [choice, {"type": "object", **table}]})
    return PlainValidator(read), PlainSerializer(asdict), schema


def _rate(value: object) -> Rate | None:
    return value if value is None or isinstance(value, Rate) else Rate.read(value)


def account_name(value: str) -> str:
    """Return an account that a post may mention, without `@`.

    Raises:
        ValueError: It is not one.
    """
    handle = value.removeprefix("@")
    if [mention.value for mention in find_mentions(f"@{handle}")] != [handle]:
        raise ValueError(
            Text("{value!r} is not an account; write one such as 'Prefet34', or 'name@server' on Mastodon", value=value)
        )
    return handle


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            Text("there is no time zone {value!r}; write one such as 'Europe/Paris'", value=value)
        ) from None


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
"""A time zone by its name in the IANA database: `Europe/Paris`."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""The name of a channel, or a tag."""

AccountName = Annotated[str, AfterValidator(account_name)]
"""An account that a post may mention, with or without `@`."""


class ChannelSettings(FrozenModel):
    """The settings of a channel that do not depend on its network.

    Attributes:
        network: The network of the account.
        languages: The languages of its readers.
        tags: Names by which a route may address several channels.
        exercise: The channel carries exercises only.
        retired: It takes no new incidents. Those that it carries are still updated and ended.
        without_opening: What an end becomes whose opening was never posted there.
        on_unknown: What to do with a post in doubt.
        on_correction: What a correction does.
        on_cancellation: What a cancellation does.
        mentions: Accounts that its posts may mention.
        hashtags: Where hashtags of category and place stand: in the text, or behind it for screen readers.
        price: What one message to one person costs, in euros: one segment of an SMS, or one mail.
        most_people: The most people whom one publication may reach here. Beyond it, nothing is sent anywhere, unless
            another person approves it.
        most_cost: The most that one publication may cost here, in euros, likewise. It needs a `price`.
        rate: Its highest rate: `30 per 5 min`, `100 per day, 20 at once`.
    """

    network: str
    languages: tuple[Language, ...] = Field(default=("fr",), min_length=1)
    tags: frozenset[Name] = frozenset()
    exercise: bool = False
    retired: bool = False
    without_opening: Literal["standalone", "skip"] = "standalone"
    on_unknown: Annotated[BySeverity[OnUnknown], *by_severity(DEFAULT_ON_UNKNOWN, "resend", "hold")] = (
        DEFAULT_ON_UNKNOWN
    )
    on_correction: Annotated[BySeverity[OnCorrection], *by_severity(DEFAULT_ON_CORRECTION, "reply", "edit", "both")] = (
        DEFAULT_ON_CORRECTION
    )
    on_cancellation: Literal["reply", "delete", "both"] = "reply"
    mentions: frozenset[AccountName] = frozenset()
    hashtags: Literal["inline", "last"] = "inline"
    price: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    most_people: int | None = Field(default=None, gt=0)
    most_cost: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    rate: Annotated[Rate | None, PlainValidator(_rate), WithJsonSchema({"type": "string"})] = None
