"""The options of a network, as its constructor's signature says them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import Any, Literal, TypedDict, cast, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from policenotify.channel import BySeverity, Capabilities, Clock, OnCorrection, OnUnknown, StateStore
from policenotify.errors import SettingsError
from policenotify.model.rate import Rate


def options_model(kind: type) -> type[BaseModel]:
    """The options of a network, as a pydantic model made from the signature of its constructor.

    Parameters annotated [`Clock`][policenotify.channel.Clock] or [`StateStore`][policenotify.channel.StateStore] are
    handed in when the channel is opened, and are not options.

    Raises:
        SettingsError: The constructor cannot be read so; for the network's author.
    """
    return _options(kind)


@lru_cache  # a model is made in milliseconds, and a command asks for several of them several times
def _options(kind: type) -> type[BaseModel]:
    options = {
        name: (hint, ... if default is inspect.Parameter.empty else default)
        for name, hint, default in constructor_parameters(kind)
        if not injected_type(hint)
    }
    config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, protected_namespaces=())
    try:
        return cast(
            "type[BaseModel]",
            create_model(f"{kind.__name__}Options", __config__=config, __doc__=kind.__doc__, **cast("Any", options)),
        )
    except Exception as error:  # pydantic lets through what its own core and others' types raise
        raise _unreadable(kind, f"an option cannot be made: {error}") from error


class _Schema(GenerateJsonSchema):
    """A default that JSON has no word for is left out."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - the parent's form


def options_schema(kind: type) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a network's options. Secrets are `writeOnly`, and their defaults masked.

    Raises:
        SettingsError: The constructor cannot be read so; for the network's author.
    """
    try:
        return options_model(kind).model_json_schema(schema_generator=_Schema)
    except PydanticUserError as error:
        raise _unreadable(kind, f"an option cannot be written in settings: {error}") from error


def constructor_parameters(kind: type) -> Iterator[tuple[str, Any, Any]]:
    """Name, annotation and default of each parameter of the constructor."""
    try:
        hints = get_type_hints(kind.__init__, include_extras=True)  # type: ignore[misc]  # of exactly this class
        parameters = inspect.signature(kind).parameters.items()
    except NameError as error:
        why = f"{error}; import it always, not only for the type checker"
        raise _unreadable(kind, why) from error
    except Exception as error:  # an annotation is any expression
        raise _unreadable(kind, f"it cannot be read ({type(error).__name__}: {error})") from error
    made = {one.name: one.default_factory for one in fields(kind)} if is_dataclass(kind) else {}
    defaults = {name: Field(default_factory=make) for name, make in made.items() if make is not MISSING}
    for name, parameter in parameters:
        if parameter.kind not in {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}:
            raise _unreadable(kind, f"{parameter} takes anything; name each option")
        if name not in hints:
            raise _unreadable(kind, f"{name!r} has no annotation")
        if name.startswith("_") or hasattr(BaseModel, name):
            raise _unreadable(kind, f"{name!r} is no name for an option; name it differently")
        if name in _RESERVED:
            raise _unreadable(kind, f"{name!r} already has a meaning for every channel; name the option differently")
        yield name, hints[name], defaults.get(name, parameter.default)


def _unreadable(kind: type, why: str) -> SettingsError:
    return SettingsError(f"The constructor of {kind.__module__}.{kind.__qualname__} gives no options: {why}.")


def injected_type(hint: object) -> type | None:
    """Which of the house's services a parameter of this annotation is given; `None`: it is an option."""
    return next((wanted for wanted in (Clock, StateStore) if hint is wanted or wanted in get_args(hint)), None)


def default_capabilities(kind: type) -> Capabilities | None:
    """What a network can do before anything is configured; `None` where that depends on the account.

    A class whose abilities depend on its options may say in `default_capabilities` what most of its channels can do.
    """
    claimed: Any = getattr(kind, "default_capabilities", None) or getattr(kind, "capabilities", None)
    if isinstance(claimed, property) and claimed.fget:
        try:
            claimed = claimed.fget(object.__new__(kind))
        except Exception:  # noqa: BLE001 - it needs what only a configured channel knows
            return None
    return claimed if isinstance(claimed, Capabilities) else None


class ChannelOptions(TypedDict, total=False):
    """How a channel is used: the fields of the same names of [`ChannelConfig`][policenotify.channel.ChannelConfig]."""

    languages: tuple[str, ...]
    tags: frozenset[str]
    exercise: bool
    retired: bool
    without_opening: Literal["standalone", "skip"]
    on_unknown: OnUnknown | BySeverity[OnUnknown]
    on_correction: OnCorrection | BySeverity[OnCorrection]
    on_cancellation: Literal["reply", "delete", "both"]
    mentions: frozenset[str]
    recipients: Callable[[], Iterable[str]] | None
    rate: Rate | None


CHANNEL_OPTIONS = frozenset({"network", *ChannelOptions.__annotations__})
_RESERVED = CHANNEL_OPTIONS | {"options"}
