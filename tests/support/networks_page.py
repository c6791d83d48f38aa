"""The page of the networks that come with policenotify, written from what they declare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from policenotify.channel import ChannelConfig
from policenotify.cli.commands.networks import NetworkOption, default_as_text, network_info
from policenotify.networks.registry import configure_channel, network

BEGIN: Final = (
    "<!-- what follows is written by the tests: "
    "POLICENOTIFY_NETWORKS=write pytest tests/acceptance/test_networks_page.py -->\n"
)
OPTIONS: Final[Mapping[str, Mapping[str, object]]] = {
    "x": {"handle": "police34", "client_id": "x", "refresh_token": "x"},
    "mastodon": {"server": "https://social.example", "handle": "police", "token": "x"},
    "bluesky": {"handle": "police.example", "password": "x"},
    "email": {"url": "mailtos://police.example?from=alertes@police.example"},
    "sms": {"url": "octopush://POLICE34:login@x.example/key/{recipient}"},
    "apprise": {"url": "json://localhost"},
}
"""What each wants to know at least."""

_TRIED: Final = {
    "`é`": "é",
    "`事`": "事",
    "`👮‍♀️`": "👮‍♀️",
    "`https://example.org/actualites/deviation-a9`": "https://example.org/actualites/deviation-a9",
}
"""Texts that networks count differently."""

_EVER: Final = timedelta(days=3_650)  # longer than any incident


def page(before: str) -> str:
    """The page anew, below what a person wrote of it."""
    return before.partition(BEGIN)[0] + BEGIN + "\n".join(_tables()) + "\n"


def as_shown(name: str) -> ChannelConfig:
    """A channel with what `policenotify networks` shows of its network; where that depends on its options, its own."""
    one = configure_channel(name, name, OPTIONS[name], recipients=tuple if name in {"email", "sms"} else None)
    return replace(one, capabilities=network_info(network(name), "").capabilities or one.capabilities)


def _tables() -> Iterator[str]:
    channels = [as_shown(name) for name in OPTIONS]
    yield from ("", f"| | {' | '.join(one.name for one in channels)} |", f"|---|{'---|' * len(channels)}")
    for title, told in _ROWS.items():
        yield f"| {title} | {' | '.join(map(told, channels))} |"
    for one in channels:
        offered = network(one.name)
        shown = network_info(offered, "")
        yield from ("", f"## {one.name}", "", f"{shown.about} `pip install 'policenotify[{one.name}]'`")
        yield from ("", "| option | value | default | meaning |", "|---|---|---|---|", *map(_option, shown.options))


def _option(one: NetworkOption) -> str:
    default = (
        "**required**"
        if one.required
        else f"`{default_as_text(one.default)}`"
        if one.default
        else default_as_text(one.default)
    )
    meaning = one.meaning.replace("|", "\\|")
    return f"| `{one.name}` | {one.type} | {default} | {meaning} |"


def _yes(claimed: object) -> str:
    return "yes" if claimed else ""


def _counted(text: str) -> Callable[[ChannelConfig], str]:
    def told(one: ChannelConfig) -> str:
        budget = one.capabilities.budget
        return "left out" if budget.find_losses and budget.find_losses(text) else str(budget.measure(text))

    return told


def _remembers(one: ChannelConfig) -> str:
    remembered = one.capabilities.idempotency_window
    return "for ever" if remembered >= _EVER else str(remembered or "")


def _settles(one: ChannelConfig) -> str:
    settles = one.capabilities.lookup_delay
    if settles is None:
        return ""
    return f"after {settles.total_seconds():g} s" if settles else "at once"


_ROWS: Final[Mapping[str, Callable[[ChannelConfig], str]]] = {
    "text limit": lambda one: f"{one.capabilities.budget.limit:,}",
    "limit in bytes of UTF-8": lambda one: (
        f"{one.capabilities.budget.max_bytes:,}" if one.capabilities.budget.max_bytes else ""
    ),
    **{f"{shown} counts": _counted(text) for shown, text in _TRIED.items()},
    "own alphabet": lambda one: _yes(one.capabilities.budget.transliterate),
    "threads": lambda one: _yes(one.capabilities.replies),
    "pictures": lambda one: str(one.capabilities.images or ""),
    "subject line": lambda one: _yes(one.capabilities.title),
    "HTML": lambda one: _yes(one.capabilities.html),
    "hashtags as links": lambda one: _yes(one.capabilities.hashtags),
    "outcome for each person": lambda one: _yes(one.capabilities.recipients),
    "edits": lambda one: _yes(one.capabilities.edits),
    "deletes": lambda one: _yes(one.capabilities.deletes),
    "key posts once": _remembers,
    "look-up, absence believed": _settles,
    "confirmation": lambda one: one.capabilities.acceptance,
    "limits read from its server": lambda one: _yes(one.discovers_capabilities),
}
