"""Values for completion in a shell: categories, channels, open incidents, what is held. A failure gives none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import wraps
from typing import TypeAlias

import click
from click.shell_completion import CompletionItem

from policenotify.cli.context import CliContext
from policenotify.errors import printable

_SERVER_TIMEOUT = 2  # seconds for the journal's server to answer: the officer waits for the prompt
_LIMIT = 20  # suggestions; more do not fit on a screen

Values: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]
"""The function that click calls for the values of an option."""


def _values(lookup: Callable[[CliContext], Iterable[tuple[str, str]]]) -> Values:
    """Make `Values` of a function that yields values, each with its meaning."""

    @wraps(lookup)
    def values(context: click.Context, _parameter: click.Parameter, prefix: str) -> list[CompletionItem[str]]:
        found: list[tuple[str, str]] = []
        with suppress(Exception):
            found.extend(lookup(context.ensure_object(CliContext)))
        fitting = [(name, about) for name, about in found if name.startswith(prefix)]
        return [CompletionItem(name, help=printable(about) or None) for name, about in fitting[:_LIMIT]]

    return values


@_values
def categories(call: CliContext) -> Iterator[tuple[str, str]]:
    """Yield the category codes, with those of the installation."""
    from policenotify.settings import profiles_of

    for code, profile in sorted(profiles_of(call.read_settings()).items()):
        yield code, profile.label("fr")


@_values
def channels(call: CliContext) -> Iterator[tuple[str, str]]:
    """Yield the channels of the installation."""
    for name, channel in call.read_settings().channels.items():
        yield name, channel.network


@_values
def incidents(call: CliContext) -> Iterator[tuple[str, str]]:
    """Yield the open incidents."""
    with call.journal(patience=_SERVER_TIMEOUT) as (_, journal):
        for incident in journal.incidents.list():
            yield incident.id, ", ".join(filter(None, (incident.category, incident.place, incident.headline)))


@_values
def held(call: CliContext) -> Iterator[tuple[str, str]]:
    """Yield the deliveries that a person must resolve."""
    from policenotify.publishing.operations import held_deliveries

    with call.journal(patience=_SERVER_TIMEOUT) as (_, journal):
        for each in held_deliveries(journal):
            yield str(each.delivery), f"{each.channel}, {each.headline}"
