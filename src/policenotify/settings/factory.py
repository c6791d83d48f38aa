"""Make what the settings describe: channels, audiences, routes and the rule of who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from policenotify.audiences.model import Audience
from policenotify.channel import UNKNOWN, Capabilities, Channel, ChannelConfig, ChannelSettings, Clock, StateStore
from policenotify.errors import Blocked, PolicenotifyError, SettingsError, UnknownNetwork
from policenotify.model.locale import Locale
from policenotify.model.status import MEND
from policenotify.networks.registry import configure_channel, inspect_channel, network
from policenotify.settings.fields import imported
from policenotify.settings.languages import locales_of, profiles_of
from policenotify.settings.model import ChannelTable, Settings
from policenotify.translation import AnyText, Text, lines_of
from policenotify.validation import at_place, secret_values, sentence

if TYPE_CHECKING:
    from policenotify.journal.database.transactions import May


def channels_of(settings: Settings) -> tuple[ChannelConfig, ...]:
    """Return the channels of this installation, without asking any network.

    A channel with errors is `blocked`, with the reason why it cannot be used. Lists of people are not read, for they
    are at each publication.

    Raises:
        SettingsError: A language file is wrong.
    """
    channels: list[ChannelConfig] = []
    locales = locales_of(settings)
    for name in settings.channels:
        try:
            channels.append(_channel(settings, name, locales))
        except SettingsError as error:
            reason = Text.join(" ", map(sentence, _lines(name, error)))
            channels.append(_blocked(settings, name, locales, reason))
    return tuple(channels)


def _channel(settings: Settings, name: str, locales: Mapping[str, Locale]) -> ChannelConfig:
    if fault := settings.faults.get(name) or _exposed_secret(settings, name):
        raise SettingsError(fault)
    channel = settings.channels[name]
    audiences = tuple(audience_of(settings, each) for each in channel.audiences)
    if channel.recipients is not None:
        at = f"channels.{name}.recipients"
        audiences = (channel.recipients.audience(name, at, settings.place.parent, profiles_of(settings)),)
    return configure_channel(
        name, channel.network, channel.options, audiences=audiences, locales=locales, **_fields(channel)
    )


def _exposed_secret(settings: Settings, name: str) -> AnyText:
    """Return why a secret of a channel is not used that is written in settings that others may read."""
    written = settings.exposed_options(name)
    try:
        found = bool(written) and secret_values(network(settings.channels[name].network).load().Options, written)
    except (PolicenotifyError, ImportError):  # reported with the network
        return ""
    return Text("A secret is written in the settings. {exposure}", exposure=settings.exposure) if found else ""


def audience_of(settings: Settings, name: str) -> Audience:
    """Return an audience of this installation. Nothing of it is read.

    Raises:
        SettingsError: Its function cannot be used.
    """
    return settings.audiences[name].audience(name, f"audiences.{name}", settings.place.parent, profiles_of(settings))


def _fields(channel: ChannelTable) -> dict[str, Any]:
    return {field: getattr(channel, field) for field in ChannelSettings.model_fields if field != "network"}


def _lines(name: str, error: SettingsError) -> list[AnyText]:
    """Return the errors of a channel, each with its place in the settings."""
    at = f"channels.{name}"
    if isinstance(error, UnknownNetwork):
        return [at_place(f"{at}.network", error.text)]
    lines = lines_of(error.text)
    return [line if str(line).startswith((at, "audiences.")) else at_place(at, line) for line in lines]


def _blocked(settings: Settings, name: str, locales: Mapping[str, Locale], reason: AnyText) -> ChannelConfig:
    """Return a channel that cannot be used, with the account and the capabilities that are known all the same."""

    def fail(clock: Clock, keep: StateStore) -> Channel:  # noqa: ARG001 - the form of `ChannelConfig.open`
        raise Blocked(reason, remedy=MEND)

    channel = settings.channels[name]
    account, capabilities = inspect_channel(channel.network, channel.options, locales)
    return ChannelConfig(
        name=name,
        network=channel.network,
        account=account if capabilities else "",
        capabilities=capabilities or Capabilities(budget=UNKNOWN),
        open=fail,
        blocked=reason,
        **_fields(channel),
    )


def may_of(settings: Settings) -> May | None:
    """Return the rule that decides who may do what, if the settings name one.

    Raises:
        SettingsError: It cannot be imported. Without it no command may go on.
    """
    if settings.may is None:
        return None
    rule: May = imported(settings.may, "may")
    return rule
