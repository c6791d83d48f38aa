"""Find a network by its name, and make a channel on it from plain options.

A network is a class that a package offers under the entry-point group `policenotify.networks`, our own networks too.
Nothing is imported before a network is asked for, and no client library before a channel is opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points, metadata
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from policenotify.audiences.model import Audience
from policenotify.audiences.selection import ChannelAudience
from policenotify.channel import (
    Capabilities,
    Channel,
    ChannelConfig,
    ChannelSettings,
    Clock,
    Services,
    StateStore,
    StoredValue,
    missing_methods,
)
from policenotify.errors import MissingExtra, SettingsError, UnknownNetwork
from policenotify.model.locale import Locale
from policenotify.translation import AnyText, Text, quoted
from policenotify.validation import at_place, did_you_mean, option_error, path, secret_values, validation_errors

ENTRY_POINT_GROUP = "policenotify.networks"
"""The entry-point group in which packages offer networks."""

OWN_PACKAGE = "policenotify"
"""The package whose networks no other package replaces."""

WITHHELD = "withheld"
"""Stands for a value of the settings that is kept elsewhere and was not read."""

_UNUSED: Any = None  # the clock of a channel that is only inspected

CHANNEL_OPTIONS = frozenset({*ChannelSettings.model_fields, "recipients", "audiences"})
"""The keys that every channel has, whatever its network."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that an installed package offers.

    Attributes:
        name: Its name in settings.
        package: The distribution that offers it.
        target: The place of the class: `module:Class`.
    """

    name: str
    package: str
    target: str

    def load(self) -> Any:  # noqa: ANN401 - a subclass of `Channel` with a class `Options`, which typing cannot express
        """Import the network's class.

        Raises:
            SettingsError: The target cannot be imported, or is not a network.
            MissingExtra: Its library is not installed, and its package has an extra of the network's name.
        """
        try:
            target = EntryPoint(self.name, self.target, ENTRY_POINT_GROUP).load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # another author's module may fail in any way: it exits, its Rust part panics
            if self._lacks_extra(error):
                raise MissingExtra(
                    Text("The network {name!r}", name=self.name), self.name, package=self.package
                ) from error
            raise self._unusable(
                Text("cannot be loaded ({name}: {error})", name=type(error).__name__, error=error)
            ) from error
        missing = [name for name in ("prepare", "whoami", "close") if not callable(getattr(target, name, None))]
        from policenotify.networks.options import ChannelOptions  # noqa: PLC0415 - pydantic reads its source: 10 ms

        options = getattr(target, "Options", None)
        if not isinstance(options, type) or not issubclass(options, ChannelOptions):
            missing.append("Options")
        elif taken := sorted(CHANNEL_OPTIONS & options.model_fields.keys()):
            raise self._unusable(
                Text("has an option {taken!r}, which already has a meaning for every channel", taken=taken[0])
            )
        if missing or not isinstance(target, type):
            raise self._unusable(
                Text(
                    "is not a network: {target} lacks {missing}",
                    target=self.target,
                    missing=", ".join(missing) or Text("a class"),
                )
            )
        return target

    def _lacks_extra(self, error: BaseException) -> bool:
        """Return True if a library is missing for which the package has an extra."""
        own = self.target.partition(":")[0].partition(".")[0]
        if not isinstance(error, ModuleNotFoundError) or (error.name or own).partition(".")[0] in {own, OWN_PACKAGE}:
            return False
        return self.name in map(_normalize, metadata(self.package).get_all("Provides-Extra", []))

    def _unusable(self, reason: AnyText) -> SettingsError:
        return SettingsError(
            Text(
                "The network {name!r} of the package {package!r} {reason}. Update the package, or take its "
                "channels out of the settings until then.",
                name=self.name,
                package=self.package,
                reason=reason,
            )
        )


@cache
def networks() -> tuple[Network, ...]:
    """Return all networks that were installed when the process asked first. Imports none of them.

    A network of another package that has the name of a built-in one is left out.
    """
    offered = [
        Network(entry.name, _normalize(entry.dist.name), entry.value)
        for entry in entry_points(group=ENTRY_POINT_GROUP)
        if entry.dist
    ]
    ours = {each.name for each in offered if each.package == OWN_PACKAGE}
    used = (each for each in offered if each.package == OWN_PACKAGE or each.name not in ours)
    return tuple(sorted(used, key=lambda each: (each.name, each.package)))


def network(name: str) -> Network:
    """Return the network of that name. Does not import it.

    Raises:
        UnknownNetwork: No installed package offers it.
        SettingsError: Two packages offer the name.
    """
    claims = [each for each in networks() if each.name == name]
    if not claims:
        hint = did_you_mean(name, {each.name for each in networks()}, known=Text("Installed"))
        raise UnknownNetwork(Text("No installed package offers the network {name!r}. {hint}", name=name, hint=hint))
    if len(claims) > 1:
        named = Text.join(Text(" and "), (quoted(each.package) for each in claims))
        raise SettingsError(
            Text(
                "The network {name!r} is offered by {named}: neither is used. Uninstall all but one.",
                name=name,
                named=named,
            )
        )
    return claims[0]


def check_networks() -> tuple[tuple[Network, AnyText], ...]:
    """Return every network with its problem, which is empty for a usable one."""
    return tuple((each, _problem(each)) for each in networks())


def _problem(offered: Network) -> AnyText:
    try:
        network(offered.name).load()
    except SettingsError as error:
        return error.text
    return ""


def default_capabilities(kind: type) -> Capabilities | None:
    """Return a network's capabilities before it is configured, or `None` if they depend on the account."""
    claimed = getattr(kind, "default_capabilities", None) or getattr(kind, "capabilities", None)
    return claimed if isinstance(claimed, Capabilities) else None


def _normalize(name: str) -> str:
    """Return the normal form of a name (PyPA, *Names and normalization*)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def configure_channel(
    name: str,
    network_name: str,
    options: Mapping[str, object],
    *,
    audiences: tuple[Audience, ...] = (),
    locales: Mapping[str, Locale] = MappingProxyType({}),
    **settings: Any,  # noqa: ANN401 - the fields of `ChannelSettings`
) -> ChannelConfig:
    """Make a channel of an installation from plain options. No I/O.

    Args:
        name: The channel's name in the installation.
        network_name: The name of its network.
        options: The network's own options, as JSON or TOML gives them.
        audiences: Its audiences, on a network with recipients.
        locales: The fixed phrases of the installation, for networks that add some of their own.
        settings: The other fields of `ChannelSettings`.

    Raises:
        SettingsError: An option is missing, unknown or wrong. The text names channel and option, never a secret.
    """
    at = path("channels", name)
    kind = network(network_name).load()
    try:
        values = kind.Options.model_validate(dict(options), extra="forbid")  # in nested tables too
    except ValidationError as error:
        wrong = validation_errors(error, kind.Options, at=at, also=CHANNEL_OPTIONS, values=options)
        # Its cause would repeat an author's words about a secret.
        raise SettingsError(Text.join("\n", [each.line for each in wrong])) from None

    def opened(clock: Clock, store: StateStore) -> Channel:
        made: Channel = kind(values, Services(clock, store, locales))
        return made

    try:
        channel = opened(_UNUSED, NoStateStore())
        capabilities, account = channel.capabilities, channel.account
        channel.close()
    except (MissingExtra, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - another author's constructor may fail in any way
        secrets = secret_values(kind.Options, options)
        raise SettingsError(option_error(error, kind.Options, at=at, secrets=secrets)) from None  # it may quote one
    subject = Text("{at}: the network {network_name!r}", at=at, network_name=network_name)
    if not isinstance(capabilities, Capabilities) or not isinstance(account, str) or not account.strip():
        raise SettingsError(
            Text("{subject} states no Capabilities, or its account is not a text. Update its package.", subject=subject)
        )
    if lacks := ", ".join(missing_methods(channel, capabilities)):
        raise SettingsError(
            Text("{subject} claims what it cannot do ({missing}). Update its package.", subject=subject, missing=lacks)
        )
    if capabilities.recipients != bool(audiences):
        reason = (
            Text("is missing: on {network_name!r} a post goes to people. Name them.", network_name=network_name)
            if capabilities.recipients
            else Text("is for networks that write to people; {network_name!r} does not.", network_name=network_name)
        )
        raise SettingsError(at_place(f"{at}.recipients", reason))
    config = ChannelConfig(
        name=name,
        network=network_name,
        account=account,
        capabilities=capabilities,
        open=opened,
        discovers_capabilities=bool(getattr(kind, "discovers_capabilities", False)),
        **settings,
    )
    spell = getattr(channel, "spell", str)
    people = tuple(ChannelAudience(audience=each, spell=spell, languages=config.languages) for each in audiences)
    return config.model_copy(update={"audiences": people})


def inspect_channel(
    network_name: str, options: Mapping[str, object], locales: Mapping[str, Locale]
) -> tuple[str, Capabilities | None]:
    """Return what is known of a channel that cannot be used: its account, perhaps empty, and what it can do. No I/O.

    The account does not depend on a secret that was not read, unless the secret is an address that holds it.
    """
    try:
        kind = network(network_name).load()
    except SettingsError:
        return "", None
    try:
        made = kind(kind.Options.model_validate(options), Services(_UNUSED, NoStateStore(), locales))
        account, capabilities = made.account, made.capabilities
        made.close()
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - another author's class may fail in any way; why it cannot be used is known
        return "", default_capabilities(kind)
    return "" if WITHHELD in account else account, capabilities


class NoStateStore:
    """The store of a channel that is used without a journal: it keeps nothing, and every lease is free."""

    def load(self, name: str) -> StoredValue | None:  # noqa: ARG002 - there is nothing under any name
        """See `StateStore.load`."""
        return None

    def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:  # noqa: ARG002 - nothing is stored
        """See `StateStore.compare_and_swap`."""
        return False

    def lease(self, name: str, *, seconds: float) -> AbstractContextManager[None]:  # noqa: ARG002 - every lease is free
        """See `StateStore.lease`."""
        return nullcontext()
