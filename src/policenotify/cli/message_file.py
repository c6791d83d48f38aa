"""The fields of a message as a JSON file has them, before anybody has looked whether they are right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import click

from policenotify.errors import PolicenotifyError, UnsupportedVersion
from policenotify.model.lifecycle import Lifecycle
from policenotify.model.message import SCHEMA_VERSION, Message
from policenotify.validation import did_you_mean


class InvalidMessage(PolicenotifyError):
    """A file holds no message. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a file holds.

    Attributes:
        name: The file's name, for errors.
        fields: The fields.
    """

    name: str
    fields: dict[str, Any]

    def check_names(self) -> None:
        """Refuse a field that no message has, and one that a newer release wrote.

        Raises:
            InvalidMessage: A field is not known.
            UnsupportedVersion: A newer policenotify wrote it.
        """
        version = self.fields.get("schema_version", SCHEMA_VERSION)
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise UnsupportedVersion("message", version, SCHEMA_VERSION)
        for name in self.fields:
            if name not in Message.model_fields:
                raise InvalidMessage(
                    f"Nothing was sent. {self.name}: {name}: is not known. {did_you_mean(name, Message.model_fields)}"
                )

    def check_agrees(self, stated: object, meant: Lifecycle) -> None:
        """Refuse a file that says it stands elsewhere than the command does.

        Raises:
            click.UsageError: It does.
        """
        if stated is None:
            return
        if not isinstance(stated, Mapping):
            raise click.UsageError(f"{self.name}: lifecycle: is no object.")
        for field, value in stated.items():
            said = getattr(meant, field, None)
            if value != said:
                raise click.UsageError(
                    f"{self.name}: lifecycle.{field}: is {value!r} there, but {str(said)!r} by the command. "
                    "Leave it out of the file, or give another command."
                )


def given_file(typed: Mapping[str, Any]) -> Given | None:
    """The fields in the file that was named, or on standard input; `None`: there is none.

    Raises:
        click.UsageError: Two files are named.
        InvalidMessage: It is no JSON, no object, or names a field twice.
    """
    named: list[BinaryIO] = [typed[name] for name in ("file", "from_file") if typed.get(name) is not None]
    if not named:
        return None
    if len(named) > 1:
        raise click.UsageError("Give one file: as FILE, or as --file FILE.")
    name = str(getattr(named[0], "name", "<stdin>"))
    name = "standard input" if name == "<stdin>" else name
    try:
        fields = json.loads(named[0].read(), object_pairs_hook=_each_once)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are such
        why = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise InvalidMessage(f"Nothing was sent. {name} holds no message. Invalid JSON: {why}.") from None
    except RecursionError:
        raise InvalidMessage(f"Nothing was sent. {name} holds no message: it is nested too deeply.") from None
    if not isinstance(fields, dict):
        raise InvalidMessage(f"Nothing was sent. {name} holds no message: write one JSON object, not a list or a text.")
    return Given(name, fields)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} stands there twice, give it once")
        found[name] = value
    return found
