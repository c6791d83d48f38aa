"""The options of a network, read from the signature of its constructor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, asdict, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypedDict, cast, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema, create_model
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from policenotify.audiences.model import Audience
from policenotify.channel import BySeverity, Capabilities, Clock, OnCorrection, OnUnknown, StateStore
from policenotify.errors import SettingsError
from policenotify.model.rate import Rate

_SEVERITIES = ("severe", "minor")  # the fields of BySeverity


def by_severity(default: BySeverity[str], *choices: str) -> tuple[PlainValidator, PlainSerializer, WithJsonSchema]:
    """Return the annotations of an option that takes one choice for every message, or a table with one by severity.

    Args:
        default: The choices that a table leaves open.
        choices: The possible choices.
    """
    choice: dict[str, object] = {"type": "string", "enum": list(choices)}
    table = {"properties": dict.fromkeys(_SEVERITIES, choice), "additionalProperties": False, "minProperties": 1}
    forms = " or ".join(f'"{each}"' for each in choices)
    same = default.severe == default.minor
    example = BySeverity(severe=choices[0], minor=choices[-1]) if same else default

    def read(value: object) -> BySeverity[str]:
        value = asdict(value) if isinstance(value, BySeverity) else value
        given = dict.fromkeys(_SEVERITIES, value) if isinstance(value, str) else value
        if (
            not isinstance(given, dict)
            or not given
            or not all(key in _SEVERITIES and each in choices for key, each in given.items())
        ):
            raise ValueError(
                f'write {forms} for every message, or {{ severe = "{example.severe}", minor = "{example.minor}" }}'
            )
        return replace(default, **given)

    schema = WithJsonSchema({"anyOf": [choice, {"type": "object", **table}]})
    return PlainValidator(read), PlainSerializer(asdict), schema


class ChannelOptions(TypedDict, total=False):
    """Fields of [`ChannelConfig`][policenotify.channel.ChannelConfig]."""

    languages: tuple[str, ...]
    tags: frozenset[str]
    exercise: bool
    retired: bool
    without_opening: Literal["standalone", "skip"]
    on_unknown: OnUnknown | BySeverity[OnUnknown]
    on_correction: OnCorrection | BySeverity[OnCorrection]
    on_cancellation: Literal["reply", "delete", "both"]
    mentions: frozenset[str]
    hashtags: Literal["inline", "last"]
    recipients: Callable[[], Iterable[str]] | None
    audiences: tuple[Audience, ...]
    price: float | None
    most_people: int | None
    most_cost: float | None
    rate: Rate | None


CHANNEL_OPTIONS = frozenset({"network", *ChannelOptions.__annotations__})


def options_model(kind: type) -> type[BaseModel]:
    """Return the options of a network as a pydantic model.

    Parameters annotated [`Clock`][policenotify.channel.Clock] or [`StateStore`][policenotify.channel.StateStore] are
    handed in when a channel is opened, and are not options.

    Raises:
        SettingsError: The constructor declares no options. The text is for the network's author.
    """
    return _cached_model(kind)


@lru_cache  # a model is made in milliseconds, and a command asks for several of them several times
def _cached_model(kind: type) -> type[BaseModel]:
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
        raise _not_readable(kind, f"an option cannot be made: {error}") from error


class _JsonSchema(GenerateJsonSchema):
    """A default that JSON cannot express is left out."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - the parent's form


def options_schema(kind: type) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a network's options.

    Secrets are `writeOnly`, and their defaults masked. Raises as `options_model` does.
    """
    try:
        return options_model(kind).model_json_schema(schema_generator=_JsonSchema)
    except PydanticUserError as error:
        raise _not_readable(kind, f"an option cannot be written in settings: {error}") from error


@lru_cache  # as for the model, which is made of them
def constructor_parameters(kind: type) -> tuple[tuple[str, Any, Any], ...]:
    """Return name, annotation and default of each parameter of the constructor."""
    return tuple(_parameters(kind))


def _parameters(kind: type) -> Iterator[tuple[str, Any, Any]]:
    try:
        hints = get_type_hints(kind.__init__, include_extras=True)  # type: ignore[misc]  # of exactly this class
        parameters = inspect.signature(kind).parameters.items()
    except NameError as error:
        reason = f"{error}; import it always, not only for the type checker"
        raise _not_readable(kind, reason) from error
    except Exception as error:  # an annotation is any expression
        raise _not_readable(kind, f"it cannot be read ({type(error).__name__}: {error})") from error
    factories = {each.name: each.default_factory for each in fields(kind)} if is_dataclass(kind) else {}
    defaults = {name: Field(default_factory=make) for name, make in factories.items() if make is not MISSING}
    for name, parameter in parameters:
        if parameter.kind not in {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}:
            raise _not_readable(kind, f"{parameter} takes anything; name each option")
        if name not in hints:
            raise _not_readable(kind, f"{name!r} has no annotation")
        if name.startswith("_") or hasattr(BaseModel, name):
            raise _not_readable(kind, f"{name!r} cannot be the name of an option; name it differently")
        if name in CHANNEL_OPTIONS | {"options"}:
            raise _not_readable(kind, f"{name!r} already has a meaning for every channel; name the option differently")
        yield name, hints[name], defaults.get(name, parameter.default)


def _not_readable(kind: type, reason: str) -> SettingsError:
    return SettingsError(f"The constructor of {kind.__module__}.{kind.__qualname__} gives no options: {reason}.")


def injected_type(hint: object) -> type | None:
    """Return the service for a parameter of this annotation, or `None`."""
    return next((service for service in (Clock, StateStore) if hint is service or service in get_args(hint)), None)


def default_capabilities(kind: type) -> Capabilities | None:
    """Return a network's capabilities before it is configured.

    `None` if they depend on the account. A class whose capabilities depend on its options may name the most common ones
    in `default_capabilities`.
    """
    claimed: Any = getattr(kind, "default_capabilities", None) or getattr(kind, "capabilities", None)
    if isinstance(claimed, property) and claimed.fget:
        try:
            claimed = claimed.fget(object.__new__(kind))
        except Exception:  # noqa: BLE001 - it needs what only a configured channel knows
            return None
    return claimed if isinstance(claimed, Capabilities) else None
