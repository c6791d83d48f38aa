"""The types of single settings, and how their files are read."""

from __future__ import annotations

import tomllib
import unicodedata
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, SecretStr, StringConstraints

from policenotify.errors import SettingsError
from policenotify.journal.permissions import READABLE, read_closed
from policenotify.translation import Text
from policenotify.validation import at_place, place_in_file


def _masked(given: dict[str, object] | tuple[str, ...] | None) -> dict[str, str] | tuple[str, ...] | None:
    if given is None:
        return None
    mask = str(SecretStr("any"))  # as the journal's URL is shown
    return dict.fromkeys(given, mask) if isinstance(given, dict) else (mask,) * len(given)


Masked: PlainSerializer = PlainSerializer(_masked)
"""Values that are shown as secrets are."""


LinkHost = Annotated[str, StringConstraints(pattern=r"^\.?([a-z0-9-]+\.)*[a-z0-9-]+$", max_length=253)]
"""A host in small ASCII letters, or with a dot in front all hosts below it."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=500)]
"""A written reason."""


def imported(target: str, at: str) -> Any:  # noqa: ANN401 - a function of the installation
    """Return a function of the installation, named as `module:function`.

    Raises:
        SettingsError: It cannot be imported.
    """
    module, _, function = target.partition(":")
    try:
        return getattr(import_module(module), function)
    except Exception as error:  # another author's module may fail in any way
        reason = Text(
            "{target!r} cannot be imported ({name}). Install it for this Python.",
            target=target,
            name=type(error).__name__,
        )
        raise SettingsError(at_place(at, reason)) from error


def read_table(file: Path, forbidden: int | None = READABLE, *, composed: bool = False) -> dict[str, Any]:
    """Read a TOML file that others may not change, if permissions are *forbidden*, its characters *composed* (NFC).

    Raises:
        SettingsError: Others may, or it cannot be read.
    """
    try:
        content = file.read_bytes() if forbidden is None else read_closed(file, forbidden)
        text = content.decode("utf-8-sig")
        return tomllib.loads(unicodedata.normalize("NFC", text) if composed else text)
    except SettingsError:
        raise
    except OSError as error:
        why = Text("cannot be read ({strerror})", strerror=error.strerror)
    except UnicodeDecodeError:
        why = Text("is not UTF-8; save it as UTF-8")
    except (ValueError, RecursionError) as error:
        why = Text("is not TOML: {error}", error=place_in_file(error))
    raise SettingsError(Text("The file {file} {why}.", file=file, why=why))
