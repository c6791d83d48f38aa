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
    SecretStr,
    StringConstraints,
)

from policenotify.model.channel_settings import NAME
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


def _area(value: str) -> str:
    if not re.fullmatch(r"commune:\d[\dAB]\d{3}|epci:\d{9}|dept:(\d[\dAB]|\d{3})", value):
        raise ValueError(
            Text(
                "{value!r} is not an area; write one such as 'dept:34', 'commune:34172' or 'epci:243400017'",
                value=value,
            )
        )
    return value


def _masked(given: dict[str, object] | tuple[str, ...] | None) -> dict[str, str] | tuple[str, ...] | None:
    if given is None:
        return None
    mask = str(SecretStr("any"))  # as the journal's URL is shown
    return dict.fromkeys(given, mask) if isinstance(given, dict) else (mask,) * len(given)


Masked: PlainSerializer = PlainSerializer(_masked)
"""Values that are shown as secrets are."""


def names_in(value: object) -> frozenset[str]:
    """Return the names in what should be a list of tags, however it is written."""
    values = value if isinstance(value, list) else [value]
    parts = chain.from_iterable(re.split(r"[\s,;]+", each) for each in values if isinstance(each, str))
    return frozenset(part for part in parts if re.fullmatch(NAME, part))


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


class SettingsTable(BaseModel):
    """A table of the settings, with no other keys than its fields."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )
