"""Find a network by its name, and make a channel on it from plain options.

A network is a class that a package offers under the entry-point group `policenotify.networks`; our own use the same
door as strangers. Nothing is imported before a network is asked for, and no network's library before a channel is
opened.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points, metadata
from pathlib import Path
from typing import Unpack

from pydantic import BaseModel, ValidationError

from policenotify.channel import (
    Capabilities,
    Channel,
    ChannelConfig,
    Clock,
    StateStore,
    StoredValue,
    SupportsBulkSend,
    SupportsDelete,
    SupportsEdit,
    SupportsLookup,
    SupportsSend,
)
from policenotify.errors import MissingExtra, SettingsError, UnknownNetwork
from policenotify.networks.options import (
    CHANNEL_OPTIONS,
    ChannelOptions,
    constructor_parameters,
    injected_type,
    options_model,
    options_schema,
)
from policenotify.validation import did_you_mean, format_validation_errors, path, redact, secret_values

ENTRY_POINT_GROUP = "policenotify.networks"
"""The entry-point group in which packages offer networks."""

OWN_PACKAGE = "policenotify"
"""The package whose networks nobody replaces."""

RESERVED_NAMES = frozenset({"new"})
"""What `policenotify networks` takes for a command, and no network's name can be."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that an installed package offers.

    Attributes:
        name: What settings call it.
        package: The distribution that offers it.
        target: Where the class is: `module:Class`.
        problem: Why it is not used, in words; empty: it is.
    """

    name: str
    package: str
    target: str
    problem: str = ""

    def load(self) -> type[Channel]:
        """Import the network's class.

        Raises:
            SettingsError: Its name is disputed, or what the package offers cannot be imported or is no network.
            MissingExtra: Its library is not installed, and its package has an extra of the network's name.
        """
        if self.problem:
            raise SettingsError(self.problem)
        try:
            found = EntryPoint(self.name, self.target, ENTRY_POINT_GROUP).load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's module may fail in any way: it exits, its Rust part panics
            if self.lacks_extra(error):
                raise MissingExtra(f"The network {self.name!r}", self.name, package=self.package) from error
            raise self._unfit(f"cannot be loaded ({type(error).__name__}: {error})") from error
        lacks = [name for name in ("prepare", "whoami", "close") if not callable(getattr(found, name, None))]
        if not isinstance(found, type) or lacks:
            raise self._unfit(f"is no network: {self.target} lacks {', '.join(lacks) or 'a class'}")
        return found

    def lacks_extra(self, error: BaseException) -> bool:
        """Whether a library of somebody else's is missing, and the package has an extra for it."""
        own = self.target.partition(":")[0].partition(".")[0]
        if not isinstance(error, ModuleNotFoundError) or (error.name or own).partition(".")[0] in {own, OWN_PACKAGE}:
            return False
        extras = metadata(self.package).get_all("Provides-Extra", [])
        return self.name in {_normal(extra) for extra in extras}

    def _unfit(self, why: str) -> SettingsError:
        return SettingsError(
            f"The network {self.name!r} of the package {self.package!r} {why}. "
            "Update the package, or take its channels out of the settings until then."
        )


def networks() -> tuple[Network, ...]:
    """Every network that installed packages offer, in alphabetical order; disputed ones say so. Imports none."""
    claims = _claims(tuple((place, _changed(place)) for place in sys.path))
    offers: dict[str, list[str]] = {}
    for name, package, _ in claims:
        offers.setdefault(name, []).append(package)
    return tuple(
        Network(name, package, target, _dispute(name, package, offers[name])) for name, package, target in claims
    )


@lru_cache(maxsize=1)
def _claims(_places: tuple[tuple[str, int], ...]) -> tuple[tuple[str, str, str], ...]:
    """Name, package and target of all that is offered; read anew when the path, or a folder of it, has changed."""
    return tuple(sorted(_offers()))


def _offers() -> Iterator[tuple[str, str, str]]:
    """The same as it is found, without what the half packages offer that an interrupted installation leaves behind."""
    try:
        found: Iterable[EntryPoint] = entry_points(group=ENTRY_POINT_GROUP)
    except Exception:  # noqa: BLE001 - it reads all or nothing; then each is read by itself
        found = [entry for one in distributions() for entry in _entries(one) if entry.group == ENTRY_POINT_GROUP]
    for entry in found:
        for package in entry.dist.metadata.get_all("Name", []) if entry.dist else ():
            yield entry.name, _normal(package), entry.value


def _entries(one: Distribution) -> Iterable[EntryPoint]:
    try:
        return one.entry_points
    except Exception:  # noqa: BLE001 - it is the one
        return ()


def _changed(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


def network(name: str) -> Network:
    """The network of that name; not imported yet.

    Raises:
        UnknownNetwork: No installed package offers it.
        SettingsError: Two packages claim the name.
    """
    offered = networks()
    claims = sorted((one for one in offered if one.name == name), key=lambda one: one.problem)
    if not claims:
        hint = did_you_mean(name, {one.name for one in offered}, known="Installed")
        raise UnknownNetwork(f"No installed package offers the network {name!r}. {hint}")
    if claims[0].problem:
        raise SettingsError(claims[0].problem)
    return claims[0]


def check_networks() -> tuple[tuple[Network, str], ...]:
    """Every network with what is wrong with it (empty: nothing). A broken one does not hide the others."""
    return tuple((one, _trouble(one)) for one in networks())


def _trouble(one: Network) -> str:
    try:
        options_schema(one.load())
    except SettingsError as error:
        return str(error)
    return ""


def _normal(name: str) -> str:
    """The name of a distribution or extra in its normal form (PyPA specification *Names and normalization*)."""
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


def configure_channel(
    name: str, network_name: str, options: Mapping[str, object], **how: Unpack[ChannelOptions]
) -> ChannelConfig:
    """A channel as an installation uses it, made from plain options. No I/O.

    Args:
        name: What the installation calls the channel.
        network_name: Which network it is on.
        options: The network's own options, as JSON or TOML gives them.
        how: How the channel is used.

    Raises:
        SettingsError: An option is missing, unknown or wrong; the text names channel and option, never a secret.
    """
    at = path("channels", name)
    offered = network(network_name)
    kind = offered.load()
    model = options_model(kind)
    given = dict(options)
    try:
        values = model.model_validate(given, extra="forbid")  # in tables within, too
    except ValidationError as error:
        found = format_validation_errors(error, model, at=at, also=CHANNEL_OPTIONS, given=given)
        raise SettingsError("\n".join(found)) from None  # its cause would repeat an author's words about a secret
    named = {option: getattr(values, option) for option in model.model_fields}
    services = {
        parameter: wanted for parameter, hint, _ in constructor_parameters(kind) if (wanted := injected_type(hint))
    }

    def opened(clock: Clock, keep: StateStore) -> Channel:
        house: dict[type, object] = {Clock: clock, StateStore: keep}
        return kind(**named, **{parameter: house[wanted] for parameter, wanted in services.items()})

    try:
        channel = opened(_NoClock(), _NoKeep())
        capabilities, account = channel.capabilities, channel.account
        channel.close()
    except (MissingExtra, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - a stranger's constructor may fail in any way
        if isinstance(error, ModuleNotFoundError) and offered.lacks_extra(error):
            raise MissingExtra(f"The network {network_name!r}", network_name, package=offered.package) from None
        raise SettingsError(_refused(error, at, model, given)) from None  # its cause may quote a secret
    _check_claims(channel, capabilities, account, f"{at}: the network {network_name!r}")
    if capabilities.recipients and how.get("recipients") is None:
        raise SettingsError(f"{at}.recipients: is missing: on {network_name!r} a post goes to people. Name them.")
    if not capabilities.recipients and how.get("recipients") is not None:
        raise SettingsError(f"{at}.recipients: is for networks that write to people; {network_name!r} does not.")
    people, spell = how.get("recipients"), getattr(channel, "spell", None)
    if people is not None and spell is not None:
        how["recipients"] = lambda: tuple(dict.fromkeys(map(spell, people())))
    return ChannelConfig(
        name=name,
        network=network_name,
        account=account,
        capabilities=capabilities,
        open=opened,
        discovers_capabilities=bool(getattr(kind, "discovers_capabilities", False)),
        **how,
    )


def _refused(error: BaseException, at: str, model: type[BaseModel], given: Mapping[str, object]) -> str:
    """What a constructor said, at the option that it named first: `handle: must be a domain name`."""
    secrets = secret_values(model, given)
    option, colon, rest = str(error).partition(": ")
    where, said = (f"{at}.{option}", rest) if colon and option in model.model_fields else (at, str(error))
    ours = isinstance(error, SettingsError)
    return f"{where}: {redact(said if ours else f'{type(error).__name__}: {said}', secrets, ours=ours)}"


def _check_claims(channel: object, capabilities: object, account: object, what: str) -> None:
    """Refuse a channel that claims what it has no method for, before it is relied upon."""
    if not isinstance(channel, Channel):
        raise SettingsError(f"{what} lacks one of capabilities, account, prepare, whoami, close. Update its package.")
    if not isinstance(capabilities, Capabilities) or not isinstance(account, str) or not account.strip():
        raise SettingsError(
            f"{what} does not state its Capabilities, or not its account as a text. Update its package."
        )
    claims: list[tuple[object, type]] = [
        (capabilities.recipients, SupportsBulkSend),
        (not capabilities.recipients, SupportsSend),
        (capabilities.lookup_delay is not None, SupportsLookup),
        (capabilities.edits, SupportsEdit),
        (capabilities.deletes, SupportsDelete),
    ]
    for claimed, protocol in claims:
        if claimed and not isinstance(channel, protocol):
            raise SettingsError(f"{what} claims what it cannot do ({protocol.__name__}). Update its package.")


class _NoClock:
    """Time stands still while a channel is only looked at."""

    def now(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Not needed: nothing passes."""


class _NoKeep:
    """Nothing is kept while a channel is only looked at."""

    def load(self, name: str) -> StoredValue | None:  # noqa: ARG002 - there is nothing under any name
        return None

    def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:  # noqa: ARG002 - the same
        return False

    def lease(self, name: str, *, seconds: float) -> AbstractContextManager[None]:  # noqa: ARG002 - the same
        return nullcontext()
