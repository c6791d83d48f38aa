"""Read the settings: the file, what the environment adds, and what they say of categories."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from policenotify.errors import SettingsError, UnsupportedVersion
from policenotify.networks.options import options_model
from policenotify.render.locales import PROFILES, CategoryProfile
from policenotify.settings.environment import PREFIX, override, resolve, withhold
from policenotify.settings.languages import renamed
from policenotify.settings.model import OF_THE_CHANNEL, Settings, wrong
from policenotify.validation import did_you_mean, format_validation_errors

SCHEMA_VERSION = 1
"""Version of the settings that this release reads."""

FILE_NAME = "policenotify.toml"
"""Where settings are looked for in the working directory."""

FILE_VARIABLE = f"{PREFIX}SETTINGS"
"""The environment variable that names another settings file."""


def read_settings(
    path: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    secrets: bool = True,
    tolerant: bool = False,
) -> Settings:
    """Read the settings.

    They are in *path*, else in the file that `POLICENOTIFY_SETTINGS` names, else in `policenotify.toml` in the
    working directory. `POLICENOTIFY_CHANNELS__BLUESKY__HANDLE` and the like override single values; a value
    that begins with `[` or `{` is read as TOML. A network's option and the journal may be `{ file = "…" }` or
    `{ env = "…" }`; without *secrets* none of these is read, and another text stands there.

    What is wrong with a single channel is an error like all others, unless *tolerant*: it then stands in
    `Settings.faults`, and the rest holds. What is wrong with the file, or between its parts, is always an error.

    Raises:
        SettingsError: There are none, or something is wrong with them; one line for each.
        UnsupportedVersion: They were written for a newer policenotify.
    """
    place = Path(path or environ.get(FILE_VARIABLE) or FILE_NAME).absolute()
    table = _table(place)
    origins, problems = override(table, environ, known=frozenset(Settings.model_fields), apart={FILE_VARIABLE})
    version = table.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UnsupportedVersion("settings file", version, SCHEMA_VERSION)
    faults: dict[str, list[str]] = {}
    if secrets:
        faults = resolve(table, place.parent, environ, ours=OF_THE_CHANNEL)
        problems += faults.pop("", [])
    else:
        withhold(table, ours=OF_THE_CHANNEL)
    if problems or (faults and not tolerant):
        raise wrong(place, [*problems, *sorted(chain.from_iterable(faults.values()))], origins)
    settings = Settings.made(table, place, origins, faults=faults if tolerant else None)
    profiles_of(settings)
    return settings


def profiles_of(settings: Settings) -> dict[str, CategoryProfile]:
    """What each category means in this installation: the shipped profiles, changed and added to.

    Raises:
        SettingsError: A field is unknown, missing or wrong; or a file of words is.
    """
    model = options_model(CategoryProfile)
    profiles, found = dict(PROFILES), []
    for code, changes in settings.categories.items():
        shipped = _values(PROFILES[code]) if code in PROFILES else {}
        try:
            values = model.model_validate({**_merged(shipped, changes), "code": code})
        except ValidationError as error:
            found += format_validation_errors(error, model, at=f"categories.{code}")
            if not shipped:
                found.append(
                    f"categories.{code}: is no built-in category, and so a new one. {did_you_mean(code, PROFILES)}"
                )
            continue
        profiles[code] = CategoryProfile(**{name: getattr(values, name) for name in model.model_fields})
    if found:
        raise settings.error(found)
    return renamed(profiles, settings)


def _values(profile: CategoryProfile) -> dict[str, Any]:
    return {field.name: getattr(profile, field.name) for field in fields(profile)}


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The old values, changed by the new ones; a table within is merged likewise."""
    tables = [name for name in new if isinstance(old.get(name), Mapping) and isinstance(new[name], Mapping)]
    both = {name: _merged(old[name], new[name]) for name in tables}
    return {**old, **new, **both}


def _table(place: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(place.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(
            f"There are no settings at {place}. Make some (policenotify init), or name the file in {FILE_VARIABLE}."
        ) from None
    except OSError as error:
        raise SettingsError(f"The settings {place} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError:
        raise SettingsError(f"The settings {place} are not UTF-8. Save them as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"The settings {place} are not TOML: {error}.") from None
