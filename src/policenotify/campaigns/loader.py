"""Read campaigns from their files."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from policenotify.campaigns.model import Campaign, order_campaigns
from policenotify.errors import SettingsError, UnsupportedVersion
from policenotify.validation import format_validation_errors

SCHEMA_VERSION = 1
"""Version of a campaign's file that this release reads."""


def load_campaign(path: str | os.PathLike[str]) -> Campaign:
    """Read a campaign's file.

    It is TOML with the fields of [`Campaign`][policenotify.campaigns.Campaign]. Each of its `[[messages]]` has a `name`
    and the fields of a message; what stands in the table `[message]` holds for all of them. Pictures are looked for
    from the file on.

    Raises:
        SettingsError: It cannot be read, or something is wrong with it; one line for each.
        UnsupportedVersion: It was written for a newer policenotify.
    """
    place = Path(path)
    table = _table(place)
    version = table.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UnsupportedVersion("campaign", version, SCHEMA_VERSION, where=os.fspath(place))
    shared = table.pop("message", {})
    if not isinstance(shared, dict):
        raise SettingsError(f"The campaign {place} is wrong:\n  message: is no table. Write [message].")
    messages = table.get("messages")
    if isinstance(messages, list):
        table["messages"] = [_alternative(shared, one, place.parent) for one in messages]
    try:
        return Campaign.model_validate(table)
    except ValidationError as error:
        lines = "\n".join(format_validation_errors(error, Campaign)).replace("].message.", "].").splitlines()
        raise SettingsError("\n".join([f"The campaign {place} is wrong:", *(f"  {line}" for line in lines)])) from None


def load_campaigns(
    paths: Iterable[str | os.PathLike[str]], *, errors: dict[str, str] | None = None, allow_missing: bool = False
) -> tuple[Campaign, ...]:
    """Read campaigns that run together; a folder stands for all its `.toml` files.

    Args:
        paths: Files and folders.
        errors: Where a file that is wrong is noted, by its path, so that it silences no other; `None`: it is an error.
        allow_missing: They may yield to campaigns that are not given, as when one file is only looked at.

    Raises:
        SettingsError: One is wrong, they do not go together, or there is none.
        UnsupportedVersion: One was written for a newer policenotify.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        files += sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if not files:
        raise SettingsError("There is no campaign: the folder holds no file that ends in .toml.")
    read: list[Campaign] = []
    for file in files:
        try:
            read.append(load_campaign(file))
        except (SettingsError, UnsupportedVersion) as error:
            if errors is None:
                raise
            errors[os.fspath(file)] = str(error)
    return order_campaigns(read, allow_missing=allow_missing or bool(errors))  # nobody can yield to what cannot be read


def _alternative(shared: Mapping[str, Any], given: object, folder: Path) -> object:
    if not isinstance(given, Mapping):
        return given
    message = {**shared, **{name: value for name, value in given.items() if name != "name"}}
    if isinstance(message.get("images"), list):
        message["images"] = [_found(image, folder) for image in message["images"]]
    return {**({"name": given["name"]} if "name" in given else {}), "message": message}


def _found(image: object, folder: Path) -> object:
    if isinstance(image, Mapping) and isinstance(image.get("path"), str):
        return {**image, "path": str(folder / image["path"])}
    return image


def _table(place: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(place.read_text("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"The campaign {place} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError:
        raise SettingsError(f"The campaign {place} is not UTF-8. Save it as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"The campaign {place} is not TOML: {error}.") from None
