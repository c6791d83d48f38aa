"""What the environment adds to a table of settings: values that override, and values kept elsewhere.

Both functions change the table, and return what is wrong in lines that never repeat a value.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from policenotify.validation import path

PREFIX = "POLICENOTIFY_"
"""With this begins the name of every environment variable of ours."""

WITHHELD = "withheld"
"""Stands for a value that is kept elsewhere, where nobody needs it."""

_NEAR = 0.8  # so like one of our names, another is a slip; the rest belongs to others (Kubernetes: …_SERVICE_HOST)


def override(
    table: dict[str, Any], environ: Mapping[str, str], *, known: Collection[str], apart: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """Let variables such as `POLICENOTIFY_CHANNELS__BLUESKY__HANDLE` override the table's values.

    Args:
        table: The settings; changed.
        environ: The environment.
        known: Names of the settings' fields; variables of other names are not ours, but for a near miss.
        apart: Variables of ours that are no settings.

    Returns:
        Which field comes from which variable, and what is wrong.
    """
    origins, wrong = {}, []
    for variable in sorted(name for name in environ if name.startswith(PREFIX) and name not in apart):
        first, *rest = variable.removeprefix(PREFIX).split("__")
        if first.lower() not in known:
            if near := get_close_matches(first.lower(), known, n=1, cutoff=_NEAR):
                meant = PREFIX + "__".join((near[0].upper(), *rest))
                wrong.append(f"The environment variable {variable} is not known. Did you mean {meant}?")
            continue
        node, place = table, []
        for part in (first, *rest[:-1]) if rest else ():
            place.append(_spelled(node, part))
            node = node.setdefault(place[-1], {})
            if not isinstance(node, dict):
                wrong.append(f"{path(*place)}: cannot be changed in part by the environment variable {variable}.")
                break
        else:
            place.append(_spelled(node, rest[-1] if rest else first))
            node[place[-1]] = _value(environ[variable])
            origins[path(*place)] = variable
    return origins, wrong


def _spelled(node: Mapping[str, Any], part: str) -> str:
    """The name as the table spells it: the names of variables have capitals only, and no `-` or `.`."""
    same = (name for name in node if name.upper().replace("-", "_").replace(".", "_") == part.upper())
    return next(same, part.lower())


def _value(text: str) -> object:
    """A list or table where it is written as one in TOML; else the text itself, whatever it looks like."""
    if not text.startswith(("[", "{")):
        return text
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return read["value"] if set(read) == {"value"} else text


def resolve(
    table: dict[str, Any], directory: Path, environ: Mapping[str, str], *, ours: Collection[str]
) -> dict[str, list[str]]:
    """Put in what is written as `{ file = "…" }` or `{ env = "…" }`: the journal's URL and networks' options.

    Args:
        table: The settings; changed.
        directory: Where relative paths begin.
        environ: The environment.
        ours: The fields of a channel that are no options of its network.

    Returns:
        What is wrong, by the name of the channel whose option it is; by "" what is wrong with the journal's URL.
    """
    wrong: dict[str, list[str]] = {}
    for node, key, at, channel in _may_be_elsewhere(table, ours):
        lines: list[str] = []
        _put_in(node, key, at, directory, environ, lines)
        if lines:
            wrong[channel] = sorted([*wrong.get(channel, ()), *lines])
    return wrong


def withhold(table: dict[str, Any], *, ours: Collection[str]) -> None:
    """Put in [`WITHHELD`][policenotify.settings.environment.WITHHELD] for the same, without reading any of it."""
    for node, key, *_ in _may_be_elsewhere(table, ours):
        match node.get(key):
            case {"env": str()} | {"file": str()}:
                node[key] = WITHHELD
            case _:
                pass


def _may_be_elsewhere(table: dict[str, Any], ours: Collection[str]) -> Iterator[tuple[dict[str, Any], str, str, str]]:
    yield table, "journal", "journal", ""
    channels = table.get("channels")
    for name, channel in channels.items() if isinstance(channels, dict) else ():
        for option in set(channel) - set(ours) if isinstance(channel, dict) else ():
            yield channel, option, path("channels", name, option), name


def _put_in(
    node: dict[str, Any], key: str, at: str, directory: Path, environ: Mapping[str, str], wrong: list[str]
) -> None:
    match node.get(key):
        case {"env": str(variable), **rest} if not rest:
            if variable in environ:
                node[key] = environ[variable]
            else:
                wrong.append(f"{at}: the environment variable {variable} is not set.")
        case {"file": str(name), **rest} if not rest:
            file = directory / name
            try:
                node[key] = file.read_text("utf-8-sig").rstrip("\r\n")
            except OSError as error:
                wrong.append(f"{at}: the file {file} cannot be read ({error.strerror}). Write the value into it.")
            except UnicodeDecodeError:
                wrong.append(f"{at}: the file {file} is not UTF-8.")
            except ValueError:  # a NUL in it
                wrong.append(f"{at}: {name!r} is no name of a file.")
            else:
                if not node[key]:
                    wrong.append(f"{at}: the file {file} is empty. Write the value into it.")
