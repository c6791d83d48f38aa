"""The page of the built-in networks, written from their capabilities and options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Final

from policenotify.channel import ChannelConfig
from policenotify.cli.commands.networks import NetworkOption, default_as_text, network_info
from policenotify.networks.registry import configure_channel, network
from policenotify.render.locales import LOCALES
from tests.support.audiences import listed

BEGIN: Final = "<!-- what follows is written by: bash .ci/run regenerate -->\n"
OPTIONS: Final[Mapping[str, Mapping[str, object]]] = {
    "x": {"handle": "police34", "client_id": "x", "refresh_token": "x"},
    "mastodon": {"server": "https://social.example", "handle": "police", "token": "x"},
    "bluesky": {"handle": "police.example", "password": "x"},
    "email": {"url": "mailtos://police.example?from=alertes@police.example"},
    "sms": {"url": "octopush://POLICE34:login@x.example/key/{recipient}"},
    "apprise": {"url": "json://localhost"},
    "feed": {"url": "https://alertes.police.example/", "publisher": "Police", "folder": "/srv/alertes"},
    "webhook": {"url": "https://redaction.example/police", "secret": f"whsec_{'a' * 32}"},
    "console": {},
}
"""The required options of each network."""

_TRIED: Final = {
    "`事`": "事",
    "`👮‍♀️`": "👮‍♀️",
    "`https://example.org/actualites/deviation-a9`": "https://example.org/actualites/deviation-a9",
}
"""Texts that networks count differently."""

_EVER: Final = timedelta(days=3_650)  # longer than any incident


def page(text: str) -> str:
    """Return the page with new tables below its mark."""
    return text.partition(BEGIN)[0] + BEGIN + "\n".join(_tables()) + "\n"


def as_shown(name: str) -> ChannelConfig:
    """Return a channel with the capabilities that `policenotify networks` shows, else with its own."""
    people = listed(name, tuple) if name in {"email", "sms"} else ()
    channel = configure_channel(name, name, OPTIONS[name], audiences=people, locales=LOCALES)
    return channel.model_copy(
        update={"capabilities": network_info(network(name), "").capabilities or channel.capabilities}
    )


def _needs(name: str) -> str:
    return "" if name == "console" else f" It needs the extra `{name}`."


def _tables() -> Iterator[str]:
    channels = [as_shown(name) for name in OPTIONS]
    yield from ("", f"| | {' | '.join(channel.name for channel in channels)} |", f"|---|{'---|' * len(channels)}")
    for title, cell in _ROWS.items():
        yield f"| {title} | {' | '.join(map(cell, channels))} |"
    for channel in channels:
        offered = network(channel.name)
        shown = network_info(offered, "")
        yield from ("", f"## {channel.name}", "", f"{shown.about}{_needs(channel.name)}")
        yield from ("", "| option | value (default) | meaning |", "|---|---|---|", *map(_option, shown.options))


def _option(option: NetworkOption) -> str:
    default = f" (`{default_as_text(option.default)}`)" if option.default else ""
    value = f"{option.type}, **required**" if option.required else f"{option.type}{default}"
    meaning = str(option.meaning).replace("|", "\\|")
    return f"| `{option.name}` | {value} | {meaning} |"


def _yes(claimed: object) -> str:
    return "yes" if claimed else ""


def _counted(text: str) -> Callable[[ChannelConfig], str]:
    def cell(channel: ChannelConfig) -> str:
        budget = channel.capabilities.budget
        return "left out" if budget.find_losses and budget.find_losses(text) else str(budget.measure(text))

    return cell


def _remembers(channel: ChannelConfig) -> str:
    remembered = channel.capabilities.idempotency_window
    return "for ever" if remembered >= _EVER else str(remembered or "")


def _settles(channel: ChannelConfig) -> str:
    settles = channel.capabilities.lookup_delay
    if settles is None:
        return ""
    return f"after {settles.total_seconds():g} s" if settles else "at once"


_ROWS: Final[Mapping[str, Callable[[ChannelConfig], str]]] = {
    "text limit": lambda channel: f"{channel.capabilities.budget.limit:,}",
    "limit in bytes of UTF-8": lambda channel: (
        f"{channel.capabilities.budget.max_bytes:,}" if channel.capabilities.budget.max_bytes else ""
    ),
    **{f"{shown} counts": _counted(text) for shown, text in _TRIED.items()},
    "threads": lambda channel: _yes(channel.capabilities.replies),
    "pictures": lambda channel: str(channel.capabilities.images or ""),
    "subject line": lambda channel: _yes(channel.capabilities.title),
    "HTML": lambda channel: _yes(channel.capabilities.html),
    "hashtags as links": lambda channel: _yes(channel.capabilities.hashtags),
    "outcome for each person": lambda channel: _yes(channel.capabilities.recipients),
    "edits": lambda channel: _yes(channel.capabilities.edits),
    "deletes": lambda channel: _yes(channel.capabilities.deletes),
    "key posts once": _remembers,
    "look-up, absence believed": _settles,
    "confirmation": lambda channel: channel.capabilities.acceptance,
}
