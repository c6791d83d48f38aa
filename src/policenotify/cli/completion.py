"""Values for completion in a shell: categories, channels, incidents, what is held.

A failure or a slow answer gives no suggestion and no message. No client library is imported, and the SQL toolkit only
for incidents and deliveries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from threading import Thread
from typing import TYPE_CHECKING, TypeAlias

import click
from click.shell_completion import CompletionItem

from policenotify.cli.context import CliContext
from policenotify.translation import AnyText

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.settings import Settings

_TIMEOUT = 5.0  # seconds until the officer gets the prompt back
_SERVER_TIMEOUT = 2  # seconds for the journal's server to answer, well within the timeout
_LIMIT = 20  # suggestions; more do not fit on a screen

Values: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]
"""The function that click calls for the values of an option."""


def _values(lookup: Callable[[CliContext, click.Context, str], Iterable[tuple[str, AnyText]]]) -> Values:
    """Make `Values` of a function that yields values, each with its meaning."""

    @wraps(lookup)
    def values(context: click.Context, _parameter: click.Parameter, prefix: str) -> list[CompletionItem[str]]:
        items: list[CompletionItem[str]] = []
        call = context.ensure_object(CliContext)

        def collect() -> None:
            with suppress(Exception):  # a failure gives no suggestion
                items.extend(
                    CompletionItem(value, help=_short(call.say(text))) for value, text in lookup(call, context, prefix)
                )

        thread = Thread(target=collect, daemon=True)
        thread.start()
        thread.join(_TIMEOUT)
        return [] if thread.is_alive() else items

    return values


def _short(text: str) -> str | None:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split()) or None


def files(_context: click.Context, _parameter: click.Parameter, prefix: str) -> list[CompletionItem[str]]:
    """Leave the completion of files to the shell."""
    return [CompletionItem(prefix, type="file")]


@_values
def categories(call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the category codes, with those of the installation."""
    from policenotify.render.locales import PROFILES

    known = PROFILES
    with suppress(Exception):  # without settings there are still the shipped ones
        from policenotify.settings import profiles_of

        known = profiles_of(_settings(call))
    for code, profile in sorted(known.items()):
        if code.startswith(prefix):
            yield code, profile.label("fr")


@_values
def channels(call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the channels of the installation."""
    for name, channel in _settings(call).channels.items():
        if name.startswith(prefix):
            yield name, channel.network


@_values
def channels_and_tags(call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the channels of the installation and their tags."""
    known = _settings(call).channels
    tags: dict[str, list[str]] = {}
    for name, channel in known.items():
        for tag in channel.tags:
            tags.setdefault(tag, []).append(name)
    offered = {tag: f"tag: {', '.join(names)}" for tag, names in sorted(tags.items())}
    for name, meaning in (offered | {name: channel.network for name, channel in known.items()}).items():
        if name.startswith(prefix):
            yield name, meaning


@_values
def networks(_call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the networks that installed packages offer."""
    from policenotify.networks.registry import networks as installed

    for network in installed():
        if network.name.startswith(prefix):
            yield network.name, network.package


@_values
def open_incidents(call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the open incidents."""
    yield from _incidents(call, prefix, only_open=True)


@_values
def ended_incidents(call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the last incidents, open or not."""
    yield from _incidents(call, prefix, only_open=False)


def _incidents(call: CliContext, prefix: str, *, only_open: bool) -> Iterator[tuple[str, str]]:
    with _journal(call) as journal:
        matches = [
            incident for incident in journal.incidents.list(only_open=only_open) if incident.id.startswith(prefix)
        ]
    for incident in matches[:_LIMIT]:
        yield incident.id, ", ".join(filter(None, (incident.category, incident.place, incident.headline)))


@_values
def held_deliveries(call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the deliveries that a person must resolve."""
    from policenotify.publishing.operations import held_deliveries as held

    with _journal(call) as journal:
        known = held(journal)
    for each in known:
        if str(each.delivery).startswith(prefix):
            yield str(each.delivery), f"{each.channel}, {each.headline}"


def _settings(call: CliContext) -> Settings:
    return call.read_settings()


@contextmanager
def _journal(call: CliContext) -> Iterator[Journal]:
    with call.journal(patience=_SERVER_TIMEOUT) as (_, journal):
        yield journal
