"""The types of single settings."""

from __future__ import annotations

from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    SecretStr,
    StringConstraints,
)

from policenotify.translation import Text


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            Text("there is no time zone {value!r}; write one such as 'Europe/Paris'", value=value)
        ) from None


def _masked(given: dict[str, object] | tuple[str, ...] | None) -> dict[str, str] | tuple[str, ...] | None:
    if given is None:
        return None
    mask = str(SecretStr("any"))  # as the journal's URL is shown
    return dict.fromkeys(given, mask) if isinstance(given, dict) else (mask,) * len(given)


Masked: PlainSerializer = PlainSerializer(_masked)
"""Values that are shown as secrets are."""


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
"""A time zone by its name in the IANA database: `Europe/Paris`."""

LinkHost = Annotated[str, StringConstraints(pattern=r"^\.?([a-z0-9-]+\.)*[a-z0-9-]+$", max_length=253)]
"""A host in small ASCII letters, or with a dot in front all hosts below it."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=500)]
"""A written reason."""


class SettingsTable(BaseModel):
    """A table of the settings, with no other keys than its fields."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )
