"""What a shell may offer for a value: categories, communes, channels, incidents.

A suggestion is a courtesy: whatever goes wrong while it is looked up, there is none, at once and without a word. No
client library is imported, and the SQL toolkit only where an incident or a delivery is asked for.
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

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.settings import Settings

_PATIENCE = 5.0  # seconds until an officer who pressed the key gets his line back, should something hang
_SERVER = 2  # seconds for the journal's server to answer, so that nothing is left hanging after those
_MOST = 20  # names; more do not fit on a screen

Offer: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]
"""What click asks for the values of an option."""


def _offer(found: Callable[[CliContext, click.Context, str], Iterable[tuple[str, str]]]) -> Offer:
    """Make an `Offer` of a function that yields values, each with its meaning."""

    @wraps(found)
    def offer(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem[str]]:
        items: list[CompletionItem[str]] = []
        call = context.ensure_object(CliContext)

        def ask() -> None:
            with suppress(Exception):  # see above
                items.extend(CompletionItem(value, help=_short(more)) for value, more in found(call, context, begun))

        asking = Thread(target=ask, daemon=True)
        asking.start()
        asking.join(_PATIENCE)
        return [] if asking.is_alive() else items

    return offer


def _short(text: str) -> str | None:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split()) or None


def files(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem[str]]:
    """Leave it to the shell, which knows the files."""
    return [CompletionItem(begun, type="file")]


@_offer
def categories(call: CliContext, _context: click.Context, begun: str) -> Iterator[tuple[str, str]]:
    """The category codes: those shipped, and those of the installation."""
    from policenotify.render.locales import PROFILES  # noqa: PLC0415 - help has no time to import it

    known = PROFILES
    with suppress(Exception):  # without settings there are still those shipped
        from policenotify.settings import profiles_of  # noqa: PLC0415 - likewise

        known = profiles_of(_settings(call))
    for code, profile in sorted(known.items()):
        if code.startswith(begun):
            yield code, profile.label("fr")


@_offer
def communes(_call: CliContext, context: click.Context, begun: str) -> Iterator[tuple[str, str]]:
    """Communes: by code where digits were typed, else by name, written so that a shell takes it as one word."""
    from policenotify.model import places  # noqa: PLC0415 - help has no time to import it

    department = context.params.get("department")
    within = department.upper() if isinstance(department, str) else None
    if not begun.strip() or (begun[0].isdigit() and not re.fullmatch(r"\d[\dABab]\d*", begun)):
        return
    if begun[0].isdigit():
        yield from _by_code(begun.upper())
        return
    named: dict[str, list[str]] = {}
    for one in places.suggest(begun, within, limit=_MOST):
        named.setdefault(_one_word(one.name), []).append(f"{one.code} {one.department}")
    start = _plain(begun)
    fits = {name: where for name, where in named.items() if _plain(name).startswith(start)}
    # With several that begin otherwise, a shell would put what they share in the place of what was typed.
    for name, where in (fits or (named if len(named) == 1 else {})).items():
        yield name, where[0] if len(where) == 1 else f"{len(where)} of this name: add --department"


def _by_code(begun: str) -> Iterator[tuple[str, str]]:
    from policenotify.model import places  # noqa: PLC0415 - as above

    code = begun[:3] if begun.startswith(("97", "98")) else begun[:2]
    if places.department(code):
        found = [one for one in places.communes_of(code) if one.code.startswith(begun)]
        yield from ((one.code, one.name) for one in found[:_MOST])


def _one_word(name: str) -> str:
    """A name that needs no quotes: hyphens and apostrophes make no difference where it is read."""
    return re.sub(r"[^\w]+", "-", name).strip("-")


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[^a-z0-9]+", " ", "".join(one for one in letters if not unicodedata.combining(one))).strip()


@_offer
def departments(_call: CliContext, _context: click.Context, begun: str) -> Iterator[tuple[str, str]]:
    """The departments."""
    from policenotify.model import places  # noqa: PLC0415 - help has no time to import it

    for code in (*(f"{number:02}" for number in range(1, 96)), "2A", "2B", *map(str, range(971, 990))):
        if code.startswith(begun.upper()) and (found := places.department(code)):
            yield code, found.name


@_offer
def channels(call: CliContext, _context: click.Context, begun: str) -> Iterator[tuple[str, str]]:
    """The channels of the installation."""
    for name, channel in _settings(call).channels.items():
        if name.startswith(begun):
            yield name, channel.network


@_offer
def channels_and_tags(call: CliContext, _context: click.Context, begun: str) -> Iterator[tuple[str, str]]:
    """The channels of the installation, and their tags."""
    known = _settings(call).channels
    tags = {tag: [name for name, one in known.items() if tag in one.tags] for one in known.values() for tag in one.tags}
    offered = {name: channel.network for name, channel in known.items()}
    offered = {tag: f"tag: {', '.join(names)}" for tag, names in sorted(tags.items())} | offered
    for name, more in offered.items():
        if name.startswith(begun):
            yield name, more


@_offer
def networks(_call: CliContext, _context: click.Context, begun: str) -> Iterator[tuple[str, str]]:
    """The networks that installed packages offer."""
    from policenotify.networks.registry import networks as offered  # noqa: PLC0415 - help has no time to import it

    for one in offered():
        if one.name.startswith(begun):
            yield one.name, one.package


@_offer
def open_incidents(call: CliContext, _context: click.Context, begun: str) -> Iterator[tuple[str, str]]:
    """The open incidents."""
    yield from _incidents(call, begun, only_open=True)


@_offer
def ended_incidents(call: CliContext, _context: click.Context, begun: str) -> Iterator[tuple[str, str]]:
    """The last incidents, open or not."""
    yield from _incidents(call, begun, only_open=False)


def _incidents(call: CliContext, begun: str, *, only_open: bool) -> Iterator[tuple[str, str]]:
    with _journal(call) as journal:
        found = [one for one in journal.incidents.list(only_open=only_open) if one.id.startswith(begun)]
    for one in found[:_MOST]:
        yield one.id, ", ".join(filter(None, (one.category, one.place, one.headline)))


@_offer
def held_deliveries(call: CliContext, _context: click.Context, begun: str) -> Iterator[tuple[str, str]]:
    """The deliveries that a person must settle."""
    from policenotify.cli.held import held  # noqa: PLC0415 - help has no time to import it

    with _journal(call) as journal:
        needing = [one for one, needs_person in journal.publications.unfinished_ids().items() if needs_person]
        found = list(filter(None, map(journal.publications.get, reversed(needing))))
    for publication in found:
        for receipt in publication:
            if held(receipt) and str(receipt.delivery).startswith(begun):
                yield str(receipt.delivery), f"{receipt.channel}, {publication.message.headline}"


def _settings(call: CliContext) -> Settings:
    from policenotify.settings import read_settings  # noqa: PLC0415 - help has no time to import it

    return read_settings(call.settings, tolerant=True)


@contextmanager
def _journal(call: CliContext) -> Iterator[Journal]:
    with call.journal(patience=_SERVER) as (_, journal):
        yield journal
