"""Values for completion in a shell: categories, communes, channels, incidents.

A failure or a slow answer gives no suggestion and no message. No client library is imported, and the SQL toolkit only
for incidents and deliveries.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from threading import Thread
from typing import TYPE_CHECKING, TypeAlias

import click
from click.shell_completion import CompletionItem

from policenotify.cli.context import CliContext
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.model.receipt import Publication, Receipt
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
def communes(_call: CliContext, context: click.Context, prefix: str) -> Iterator[tuple[str, AnyText]]:
    """Yield communes by code or by name. A name is one word for the shell."""
    from policenotify.model import places

    department = context.params.get("department")
    within = department.upper() if isinstance(department, str) else None
    if not prefix.strip() or (prefix[0].isdigit() and not re.fullmatch(r"\d[\dABab]\d*", prefix)):
        return
    if prefix[0].isdigit():
        yield from _by_code(prefix.upper())
        return
    named: dict[str, list[str]] = {}
    for commune in places.suggest(prefix, within, limit=_LIMIT):
        named.setdefault(_one_word(commune.name), []).append(f"{commune.code} {commune.department}")
    start = _letters(prefix)
    matches = {name: codes for name, codes in named.items() if _letters(name).startswith(start)}
    # With several names that begin otherwise, a shell would replace what was typed by their common prefix.
    for name, codes in (matches or (named if len(named) == 1 else {})).items():
        yield (
            name,
            codes[0]
            if len(codes) == 1
            else Text("{codes_count} of this name: add --department", codes_count=len(codes)),
        )


def _by_code(prefix: str) -> Iterator[tuple[str, str]]:
    from policenotify.model import places

    department = prefix[:3] if prefix.startswith(("97", "98")) else prefix[:2]
    matches = [commune for commune in places.communes_of(department) if commune.code.startswith(prefix)]
    yield from ((commune.code, commune.name) for commune in matches[:_LIMIT])


def _one_word(name: str) -> str:
    """Return a name that needs no quotes. Reading it ignores hyphens and apostrophes."""
    return re.sub(r"[^\w]+", "-", name).strip("-")


def _letters(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[^a-z0-9]+", " ", "".join(char for char in letters if not unicodedata.combining(char))).strip()


@_values
def departments(_call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the departments."""
    from policenotify.model import places

    for code in (*(f"{number:02}" for number in range(1, 96)), "2A", "2B", *map(str, range(971, 990))):
        if code.startswith(prefix.upper()) and (name := places.department_name(code)):
            yield code, name


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


@_values
def publications(call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the last publications, each by its incident or key, or by its id where that was begun."""
    with _journal(call) as journal:
        latest = journal.publications.latest(_LIMIT)
    yield from _named(latest, prefix)


@_values
def waiting_sendings(call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the publications that people of a list still wait for."""
    yield from _named((each for each, receipts in _sendings(call) if receipts), prefix)


def _sendings(call: CliContext) -> Iterator[tuple[Publication, list[Receipt]]]:
    """Yield the newest publications that are not finished, with the receipts of lists that wait."""
    with _journal(call) as journal:
        newest = [*journal.publications.unfinished_ids()][: -_LIMIT - 1 : -1]
        found = list(filter(None, map(journal.publications.get, newest)))
    for publication in found:
        yield (
            publication,
            [each for each in publication if each.recipients is not None and not each.outcome.is_final],
        )


def _named(found: Iterable[Publication], prefix: str) -> Iterator[tuple[str, str]]:
    offered: dict[str, str] = {}
    for publication in found:
        names = (publication.incident, publication.key, publication.id)
        name = next((each for each in names if each and each.startswith(prefix)), None)
        if name is not None:
            offered.setdefault(name, publication.message.headline)
    yield from offered.items()


@_values
def open_drafts(call: CliContext, _context: click.Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the drafts that may still be published, or owe a second reading."""
    with _journal(call) as journal:
        drafts = [draft for draft in journal.drafts.list() if draft.id.startswith(prefix)]
    for draft in drafts[:_LIMIT]:
        yield draft.id, f"{draft.state}: {draft.message.headline}"


def _settings(call: CliContext) -> Settings:
    return call.read_settings()


@contextmanager
def _journal(call: CliContext) -> Iterator[Journal]:
    with call.journal(patience=_SERVER_TIMEOUT) as (_, journal):
        yield journal
