"""What the channels of a recording can do: as the true ones, told without account, secrets and client library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from policenotify.channel import Capabilities, Channel, ChannelConfig, Clock, StateStore
from policenotify.errors import MissingExtra, SettingsError
from policenotify.networks.options import ChannelOptions, default_capabilities
from policenotify.networks.registry import configure_channel, network
from policenotify.settings import Settings, locales_of, profiles_of, routes_of
from policenotify.settings.loader import WITHHELD
from policenotify.settings.model import ChannelSettings

FIVE: Final = ("x", "mastodon", "bluesky", "email", "sms")
"""The networks of a desk that says nothing else."""

PEOPLE: Final = {
    "sms": ("+33639980001", "+33639980002"),  # ARCEP: numbers for films, nobody's
    "": ("redaction@journal.example", "standard@mairie.example"),
}
"""Who hears from a channel with recipients, by network."""

_STAND_INS: Final = {
    ("mastodon", "server"): "https://mastodon.invalid",
    ("bluesky", "handle"): "bluesky.invalid",
    ("email", "url"): "mailtos://withheld:withheld@email.invalid",
    ("sms", "url"): "jsons://sms.invalid/?:to={recipient}",
}
"""Values that have a form, by network and option."""


def channels_from(given: Iterable[str | ChannelConfig] | Mapping[str, Capabilities]) -> list[ChannelConfig]:
    """The channels that a test names.

    Raises:
        SettingsError: A network is not known, or what it can do.
    """
    if isinstance(given, str):
        given = (given,)
    if isinstance(given, Mapping):
        return [_channel(name, name, capabilities) for name, capabilities in given.items()]
    return [_channel(one, one, _usual(one, network(one).load())) if isinstance(one, str) else one for one in given]


def installation(settings: Settings) -> tuple[list[ChannelConfig], dict[str, Any]]:
    """The channels of an installation, and what else its publisher is made of.

    Raises:
        SettingsError: What a network can do is not known without its secrets, or something is wrong with it.
    """
    channels = [_of_settings(name, channel) for name, channel in settings.channels.items()]
    return channels, {
        "routes": routes_of(settings),
        "profiles": profiles_of(settings),
        "locales": locales_of(settings),
        "zone": settings.zone,
        "sender": settings.sender,
        "wait": settings.wait,
        "reminding": settings.reminders.policy(),
    }


def _of_settings(name: str, said: ChannelSettings) -> ChannelConfig:
    how: dict[str, Any] = {
        field: getattr(said, field) for field in ChannelOptions.__annotations__ if field != "recipients"
    }
    given = {
        option: _STAND_INS.get((said.network, option), WITHHELD) if value == WITHHELD else value
        for option, value in said.options.items()
    }
    kind = network(said.network).load()
    try:
        recipients = None if said.recipients is None else tuple
        one = configure_channel(name, said.network, given, recipients=recipients, **how)
        if not one.discovers_capabilities:  # what it claims before it has asked its server is less
            return _channel(name, said.network, one.capabilities, **how)
    except MissingExtra:
        pass
    except SettingsError:
        if WITHHELD not in said.options.values():
            raise
    return _channel(name, said.network, _usual(said.network, kind), **how)


def _usual(name: str, kind: type[Channel]) -> Capabilities:
    if usual := default_capabilities(kind):
        return usual
    raise SettingsError(f"What {name!r} can do is not known without its account: say it, as channels={{{name!r}: …}}.")


def _channel(name: str, on: str, capabilities: Capabilities, **how: Any) -> ChannelConfig:  # noqa: ANN401 - as How
    people = PEOPLE.get(on, PEOPLE[""])
    recipients = (lambda: people) if capabilities.recipients else None
    return ChannelConfig(
        name=name, network=on, account=name, capabilities=capabilities, open=_never, recipients=recipients, **how
    )


def _never(_clock: Clock, _keep: StateStore) -> Channel:
    raise NotImplementedError  # pragma: no cover - a recording puts its own in this place
