"""The types of single settings."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import chain
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)

from policenotify.channel import DEFAULT_ON_CORRECTION, DEFAULT_ON_UNKNOWN, BySeverity, OnCorrection, OnUnknown
from policenotify.model.rate import EXAMPLES, Rate
from policenotify.networks.options import by_severity
from policenotify.text.spans import find_mentions, hashtag
from policenotify.translation import Text


def _seconds(value: object) -> object:
    """Return a number of seconds as a number, also from a text of the environment."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value) else value


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            Text("there is no time zone {value!r}; write one such as 'Europe/Paris'", value=value)
        ) from None


def _rate(value: object) -> Rate:
    if not isinstance(value, str):
        raise ValueError(Text("write a rate such as {examples}", examples=EXAMPLES))  # noqa: TRY004 - pydantic wants this one
    return Rate.read(value)


def _area(value: str) -> str:
    if not re.fullmatch(r"commune:\d[\dAB]\d{3}|epci:\d{9}|dept:(\d[\dAB]|\d{3})", value):
        raise ValueError(
            Text(
                "{value!r} is not an area; write one such as 'dept:34', 'commune:34172' or 'epci:243400017'",
                value=value,
            )
        )
    return value


def _handle(value: str) -> str:
    handle = value.removeprefix("@")
    if [mention.value for mention in find_mentions(f"@{handle}")] != [handle]:
        raise ValueError(
            Text("{value!r} is not an account; write one such as 'Prefet34', or 'name@server' on Mastodon", value=value)
        )
    return handle


def _named(value: str) -> str:
    if value.startswith("@"):
        return f"@{_handle(value)}"
    if not value.startswith("#") or not hashtag(value) or hashtag(value) != value[1:]:
        raise ValueError(
            Text("{value!r} is neither an account nor a hashtag; write one such as '@Prefet34' or '#OTV'", value=value)
        )
    return value


def _masked(given: dict[str, object] | tuple[str, ...] | None) -> dict[str, str] | tuple[str, ...] | None:
    if given is None:
        return None
    mask = str(SecretStr("any"))  # as the journal's URL is shown
    return dict.fromkeys(given, mask) if isinstance(given, dict) else (mask,) * len(given)


Masked: PlainSerializer = PlainSerializer(_masked)
"""Values that are shown as secrets are."""

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

Name = Annotated[str, StringConstraints(pattern=_NAME)]
"""The name of a channel, or a tag."""


def names_in(value: object) -> frozenset[str]:
    """Return the names in what should be a list of tags, however it is written."""
    values = value if isinstance(value, list) else [value]
    parts = chain.from_iterable(re.split(r"[\s,;]+", each) for each in values if isinstance(each, str))
    return frozenset(part for part in parts if re.fullmatch(_NAME, part))


OnUnknownSetting = Annotated[BySeverity[OnUnknown], *by_severity(DEFAULT_ON_UNKNOWN, "resend", "hold")]
"""`"hold"`, or `{ severe = "resend", minor = "hold" }`."""

OnCorrectionSetting = Annotated[BySeverity[OnCorrection], *by_severity(DEFAULT_ON_CORRECTION, "reply", "edit", "both")]
"""`"reply"`, or `{ severe = "both", minor = "edit" }`."""

Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
"""A time zone by its name in the IANA database: `Europe/Paris`."""

AreaCode = Annotated[str, AfterValidator(_area)]
"""An area by its code in the COG: `commune:34172`, `epci:243400017`, `dept:34`."""

LinkHost = Annotated[str, StringConstraints(pattern=r"^\.?([a-z0-9-]+\.)*[a-z0-9-]+$", max_length=253)]
"""A host in small ASCII letters, or with a dot in front all hosts below it."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=500)]
"""A written reason."""

Duration = Annotated[timedelta, BeforeValidator(_seconds)]
"""A time span: a number of seconds, or ISO 8601 (`PT2H`)."""

RateSetting = Annotated[Rate | None, PlainValidator(_rate), WithJsonSchema({"type": "string"})]
"""A rate such as `30 per 5 min`."""

AccountName = Annotated[str, AfterValidator(_handle)]
"""An account that a post may mention, with or without `@`."""

AccountOrHashtag = Annotated[str, AfterValidator(_named)]
"""An account with `@`, or a hashtag with `#`."""


class SettingsTable(BaseModel):
    """A table of the settings, with no other keys than its fields."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )
