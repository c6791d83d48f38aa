"""Load campaigns from their files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from policenotify.campaigns.model import Campaign, order_campaigns
from policenotify.errors import SettingsError, UnsupportedVersion
from policenotify.journal.permissions import SPOKEN
from policenotify.settings.fields import read_table
from policenotify.translation import AnyText, Text
from policenotify.validation import indented, validation_errors

SCHEMA_VERSION = 1
"""Version of a campaign's file that this release reads."""


def load_campaign(path: str | os.PathLike[str]) -> Campaign:
    """Load a campaign from a TOML file.

    It has the fields of [`Campaign`][policenotify.campaigns.Campaign]. Each of its `[[messages]]` has a `name` and
    the fields of a message. The table `[message]` gives fields of all of them. Paths of images are relative to the
    file. It belongs to this user or root, and at most a group may change it too.

    Raises:
        SettingsError: The file cannot be read, others may change it, or it is wrong. The text has a line for each
            error.
        UnsupportedVersion: It was written for a newer policenotify.
    """
    file = Path(path)
    table = read_table(file, SPOKEN)
    version = table.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UnsupportedVersion("campaign", version, SCHEMA_VERSION, where=os.fspath(file))
    shared = table.pop("message", {})
    if not isinstance(shared, dict):
        raise SettingsError(
            Text("The campaign {file} is wrong:\n  message: is not a table. Write [message].", file=file)
        )
    messages = table.get("messages")
    if isinstance(messages, list):
        table["messages"] = [_variant(shared, message, file.parent) for message in messages]
    try:
        return Campaign.model_validate(table)
    except ValidationError as error:
        problems = validation_errors(error, Campaign)  # the user writes no `.message`
        lines = [each._replace(place=each.place.replace(".message", "")).line for each in problems]
        wrong = Text("The campaign {file} is wrong:", file=file)
        raise SettingsError(Text.join("\n", [wrong, *(indented(line) for line in lines)])) from None


def load_campaigns(
    paths: Iterable[str | os.PathLike[str]], *, errors: dict[str, AnyText] | None = None, allow_missing: bool = False
) -> tuple[Campaign, ...]:
    """Load campaigns that run together. A folder stands for all its `.toml` files.

    Args:
        paths: Files and folders.
        errors: Collects the errors by path, so that one wrong file does not affect the others. By default they raise.
        allow_missing: See `order_campaigns`, for when only some files are looked at.

    Raises:
        SettingsError: A file is wrong, the campaigns do not go together, or there is none.
        UnsupportedVersion: One was written for a newer policenotify.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        files += sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if not files:
        raise SettingsError(Text("There is no campaign: the folder holds no file that ends in .toml."))
    campaigns: list[Campaign] = []
    for file in files:
        try:
            campaigns.append(load_campaign(file))
        except (SettingsError, UnsupportedVersion) as error:
            if errors is None:
                raise
            errors[os.fspath(file)] = error.text
    return order_campaigns(campaigns, allow_missing=allow_missing or bool(errors))  # the missing one may be wrong


def _variant(shared: Mapping[str, Any], given: object, folder: Path) -> object:
    if not isinstance(given, Mapping):
        return given
    message = {**shared, **{name: value for name, value in given.items() if name != "name"}}
    if isinstance(message.get("images"), list):
        message["images"] = [
            {**image, "path": folder / image["path"]}
            if isinstance(image, Mapping) and isinstance(image.get("path"), str)
            else image
            for image in message["images"]
        ]
    return {**({"name": given["name"]} if "name" in given else {}), "message": message}
