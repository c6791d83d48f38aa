"""Find a network by its name, and make a channel on it from plain options.

A network is a class that a package offers under the entry-point group `policenotify.networks`, our own networks too.
Nothing is imported before a network is asked for, and no client library before a channel is opened.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import (
    Distribution,
    EntryPoint,
    PackageNotFoundError,
    distribution,
    distributions,
    entry_points,
    metadata,
)
from pathlib import Path
from typing import Any, Unpack

from pydantic import BaseModel, ValidationError

from policenotify.audiences.addresses import AddressList, ChannelAudience
from policenotify.audiences.model import Audience
from policenotify.channel import (
    Capabilities,
    Channel,
    ChannelConfig,
    Clock,
    StateStore,
    StoredValue,
    SupportsDelete,
    SupportsEdit,
    SupportsLookup,
    SupportsPeople,
    SupportsSend,
)
from policenotify.errors import MissingExtra, SettingsError, UnknownNetwork, forget_locals
from policenotify.networks.options import (
    CHANNEL_OPTIONS,
    ChannelOptions,
    constructor_parameters,
    injected_type,
    options_model,
    options_schema,
)
from policenotify.translation import Text
from policenotify.validation import did_you_mean, format_validation_errors, path, redact, secret_values

ENTRY_POINT_GROUP = "policenotify.networks"
"""The entry-point group in which packages offer networks."""

OWN_PACKAGE = "policenotify"
"""The package whose networks no other package replaces."""

RESERVED_NAMES = frozenset({"new"})
"""The commands of `policenotify networks`, which cannot be names of networks."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that an installed package offers.

    Attributes:
        name: Its name in settings.
        package: The distribution that offers it.
        target: The place of the class: `module:Class`.
        problem: Why it is not used, in words. Empty if it is used.
    """

    name: str
    package: str
    target: str
    problem: str = ""

    def load(self) -> type[Channel]:
        """Import the network's class.

        Raises:
            SettingsError: Its name is disputed, or the target cannot be imported or is not a network.
            MissingExtra: Its library is not installed, and its package has an extra of the network's name.
        """
        if self.problem:
            raise SettingsError(self.problem)
        try:
            target = EntryPoint(self.name, self.target, ENTRY_POINT_GROUP).load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # another author's module may fail in any way: it exits, its Rust part panics
            if self.lacks_extra(error):
                raise MissingExtra(f"The network {self.name!r}", self.name, package=self.package) from error
            raise self._unusable(f"cannot be loaded ({type(error).__name__}: {error})") from error
        missing = [name for name in ("prepare", "whoami", "close") if not callable(getattr(target, name, None))]
        if not isinstance(target, type) or missing:
            raise self._unusable(f"is not a network: {self.target} lacks {', '.join(missing) or 'a class'}")
        return target

    def lacks_extra(self, error: BaseException) -> bool:
        """Return True if a library is missing for which the package has an extra."""
        own = self.target.partition(":")[0].partition(".")[0]
        if not isinstance(error, ModuleNotFoundError) or (error.name or own).partition(".")[0] in {own, OWN_PACKAGE}:
            return False
        extras = metadata(self.package).get_all("Provides-Extra", [])
        return self.name in {_normalize(extra) for extra in extras}

    def _unusable(self, reason: str) -> SettingsError:
        return SettingsError(
            f"The network {self.name!r} of the package {self.package!r} {reason}. "
            "Update the package, or take its channels out of the settings until then."
        )


def networks() -> tuple[Network, ...]:
    """Return all networks that installed packages offer. Imports none of them."""
    offers = entry_points_of(ENTRY_POINT_GROUP)
    packages: dict[str, list[str]] = {}
    for name, package, _ in offers:
        packages.setdefault(name, []).append(package)
    return tuple(
        Network(name, package, target, _dispute(name, package, packages[name])) for name, package, target in offers
    )


def entry_points_of(group: str) -> tuple[tuple[str, str, str], ...]:
    """Return name, package and target of all entry points of a group, sorted.

    Cached until the path, or a folder of it, changes. A distribution with incomplete metadata is skipped.
    """
    return _offers(group, _places())


def _places() -> tuple[tuple[str, int], ...]:
    return tuple((place, _modified(place)) for place in sys.path)


@lru_cache(maxsize=2)
def _offers(group: str, _places: tuple[tuple[str, int], ...]) -> tuple[tuple[str, str, str], ...]:
    return tuple(sorted(_read_offers(group)))


def _read_offers(group: str) -> Iterator[tuple[str, str, str]]:
    try:
        entries: Iterable[EntryPoint] = entry_points(group=group)
    except Exception:  # noqa: BLE001 - one broken distribution fails for all; then each is read by itself
        entries = [entry for each in distributions() for entry in _entries(each) if entry.group == group]
    for entry in entries:
        for package in entry.dist.metadata.get_all("Name", []) if entry.dist else ():
            yield entry.name, _normalize(package), entry.value


def _entries(distribution: Distribution) -> Iterable[EntryPoint]:
    try:
        return distribution.entry_points
    except Exception:  # noqa: BLE001 - this is the broken one
        return ()


def _modified(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


def network(name: str) -> Network:
    """Return the network of that name. Does not import it.

    Raises:
        UnknownNetwork: No installed package offers it.
        SettingsError: Two packages offer the name.
    """
    if (own := _own_networks().get(name)) is not None:
        return own
    offered = networks()
    claims = sorted((each for each in offered if each.name == name), key=lambda each: each.problem)
    if not claims:
        hint = did_you_mean(name, {each.name for each in offered}, known="Installed")
        raise UnknownNetwork(f"No installed package offers the network {name!r}. {hint}")
    if claims[0].problem:
        raise SettingsError(claims[0].problem)
    return claims[0]


def check_networks() -> tuple[tuple[Network, str], ...]:
    """Return every network with its problem, which is empty for a usable one."""
    return tuple((each, _problem(each)) for each in networks())


def _problem(network: Network) -> str:
    try:
        options_schema(network.load())
    except SettingsError as error:
        return str(error)
    return ""


def _own_networks() -> Mapping[str, Network]:
    """Return our own networks by name: no other package replaces them, so that only ours is read."""
    return _own(_places())


@lru_cache(maxsize=1)
def _own(_where: tuple[tuple[str, int], ...]) -> Mapping[str, Network]:
    try:
        offers = distribution(OWN_PACKAGE).entry_points.select(group=ENTRY_POINT_GROUP)
    except PackageNotFoundError:  # it runs from its sources
        return {}
    return {offer.name: Network(offer.name, OWN_PACKAGE, offer.value) for offer in offers}


def _normalize(name: str) -> str:
    """Return the normal form of a name (PyPA, *Names and normalization*)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _dispute(name: str, package: str, packages: list[str]) -> str:
    if name in RESERVED_NAMES:
        return (
            f"The package {package!r} offers a network {name!r}, which is a command: ask its author for another name."
        )
    if len(packages) == 1 or (package == OWN_PACKAGE and packages.count(OWN_PACKAGE) == 1):
        return ""
    if OWN_PACKAGE in packages:
        return (
            f"The package {package!r} offers a network {name!r}, but that is the one of {OWN_PACKAGE!r} and stays so. "
            f"Uninstall {package!r}, or ask its author for another name."
        )
    named = " and ".join(map(repr, packages))
    return f"The network {name!r} is offered by {named}: neither is used. Uninstall all but one."


@forget_locals
def configure_channel(
    name: str, network_name: str, options: Mapping[str, object], **settings: Unpack[ChannelOptions]
) -> ChannelConfig:
    """Make a channel of an installation from plain options. No I/O.

    Args:
        name: The channel's name in the installation.
        network_name: The name of its network.
        options: The network's own options, as JSON or TOML gives them.
        settings: The use of the channel.

    Raises:
        SettingsError: An option is missing, unknown or wrong. The text names channel and option, never a secret.
    """
    at = path("channels", name)
    offered = network(network_name)
    kind = offered.load()
    model = options_model(kind)
    given = dict(options)
    try:
        values = model.model_validate(given, extra="forbid")  # in nested tables too
    except ValidationError as error:
        lines = format_validation_errors(error, model, at=at, also=CHANNEL_OPTIONS, values=given)
        raise SettingsError(Text.join("\n", lines)) from None  # its cause would repeat an author's words about a secret
    arguments = {option: getattr(values, option) for option in model.model_fields}
    injected = {name: service for name, hint, _ in constructor_parameters(kind) if (service := injected_type(hint))}

    def opened(clock: Clock, store: StateStore) -> Channel:
        services: dict[type, object] = {Clock: clock, StateStore: store}
        return kind(**arguments, **{parameter: services[service] for parameter, service in injected.items()})

    try:
        channel = opened(_NoClock(), NoStateStore())
        capabilities, account = channel.capabilities, channel.account
        channel.close()
    except (MissingExtra, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - another author's constructor may fail in any way
        if isinstance(error, ModuleNotFoundError) and offered.lacks_extra(error):
            raise MissingExtra(f"The network {network_name!r}", network_name, package=offered.package) from None
        raise SettingsError(_constructor_error(error, at, model, given)) from None  # its cause may quote a secret
    _check_claims(channel, capabilities, account, f"{at}: the network {network_name!r}")
    audiences = _audiences(name, channel, settings)
    fields: dict[str, Any] = {field: value for field, value in settings.items() if field not in _WHO}
    if capabilities.recipients and not audiences:
        raise SettingsError(f"{at}.recipients: is missing: on {network_name!r} a post goes to people. Name them.")
    if not capabilities.recipients and audiences:
        raise SettingsError(f"{at}.recipients: is for networks that write to people; {network_name!r} does not.")
    return ChannelConfig(
        name=name,
        network=network_name,
        account=account,
        capabilities=capabilities,
        open=opened,
        discovers_capabilities=bool(getattr(kind, "discovers_capabilities", False)),
        audiences=audiences,
        **fields,
    )


_WHO = {"recipients", "audiences"}


def _audiences(name: str, channel: Channel, settings: ChannelOptions) -> tuple[Audience, ...]:
    """Return the audiences of a channel as it uses them, with its list of recipients."""
    recipients, audiences = settings.get("recipients"), settings.get("audiences", ())
    if recipients is not None:
        audiences = (*audiences, AddressList(name=name, read=recipients))
    languages = settings.get("languages", ("fr",))
    spell = getattr(channel, "spell", str)
    return tuple(ChannelAudience(audience=each, spell=spell, languages=languages) for each in audiences)


def _constructor_error(error: BaseException, at: str, model: type[BaseModel], given: Mapping[str, object]) -> str:
    """Return a constructor's error at the option that it names, as `handle: …`."""
    secrets = secret_values(model, given)
    option, colon, rest = str(error).partition(": ")
    place, text = (f"{at}.{option}", rest) if colon and option in model.model_fields else (at, str(error))
    ours = isinstance(error, SettingsError)
    return f"{place}: {redact(text if ours else f'{type(error).__name__}: {text}', secrets, trusted=ours)}"


def _check_claims(channel: object, capabilities: object, account: object, subject: str) -> None:
    """Refuse a channel that claims a capability without its method."""
    if not isinstance(channel, Channel):
        raise SettingsError(
            f"{subject} lacks one of capabilities, account, prepare, whoami, close. Update its package."
        )
    if not isinstance(capabilities, Capabilities) or not isinstance(account, str) or not account.strip():
        raise SettingsError(f"{subject} states no Capabilities, or its account is not a text. Update its package.")
    claims: list[tuple[object, type]] = [
        (capabilities.recipients, SupportsPeople),
        (not capabilities.recipients, SupportsSend),
        (capabilities.lookup_delay is not None, SupportsLookup),
        (capabilities.edits, SupportsEdit),
        (capabilities.deletes, SupportsDelete),
    ]
    for claimed, protocol in claims:
        if claimed and not isinstance(channel, protocol):
            raise SettingsError(f"{subject} claims what it cannot do ({protocol.__name__}). Update its package.")


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


class _NoClock:
    """The clock of a channel that is only inspected."""

    def now(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Return at once."""
