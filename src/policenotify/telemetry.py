"""Spans and metrics for OpenTelemetry, where an installation asks for them. The library is imported for these only.

A span holds ids, numbers, names from the settings and words of closed sets. It never holds a text, an address, the id
of an incident or a token.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, Self, TypeAlias

from policenotify.errors import MissingExtra

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
    from opentelemetry.trace import Link, Span, TracerProvider

SpanKind: TypeAlias = Literal["INTERNAL", "CLIENT", "CONSUMER"]
Attribute: TypeAlias = str | int | bool

_TRACE: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")  # W3C Trace Context, section 3.2
_DISABLED: Final = "OTEL_SDK_DISABLED"  # opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables
_VARIABLES: Final = "OTEL_"
_COLLECTION: Final = 1.0  # seconds in which all instruments of one collection are asked


class Step(Protocol):
    """A step of the work, which may be recorded as a span."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def note(self, **attributes: Attribute) -> None:
        """Add attributes. A double underscore stands for a dot: `policenotify__outcome`."""

    def fail(self, kind: str) -> None:
        """Mark it as failed. The kind is a word of a closed set, an exception's class or a network's code."""


class _NoStep:
    """A step that is not recorded."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def note(self, **_: Attribute) -> None:
        return

    def fail(self, kind: str) -> None:  # noqa: ARG002 - the protocol's
        return


NO_STEP: Final = _NoStep()
"""The step of an installation without telemetry."""


class Tracer:
    """Makes spans. Without an SDK in this process, which the host installs and configures, none is recorded.

    Args:
        provider: Where they go. `None`: the one that the host has set for the process.

    Raises:
        MissingExtra: The library is not installed.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        try:
            from opentelemetry import context, trace  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            raise MissingExtra("Telemetry", "telemetry") from None
        self._api, self._context = trace, context
        self._tracer = trace.get_tracer("policenotify", version("policenotify"), provider)
        self._kinds = {kind.name: kind for kind in trace.SpanKind}

    def step(
        self,
        name: str,
        kind: SpanKind = "INTERNAL",
        attributes: Mapping[str, Attribute] | None = None,
        *,
        link: str = "",
    ) -> Step:
        """Return a step as a span below the current one.

        Args:
            name: Its name.
            kind: As of OpenTelemetry.
            attributes: What is known of it already.
            link: The `traceparent` of another span that it belongs to, perhaps of another process, hours ago.
        """
        span = self._tracer.start_span(
            name,
            kind=self._kinds[kind],
            attributes=attributes,
            links=self._links(link) if link else None,
            record_exception=False,  # a text may hold what was to be published
            set_status_on_exception=False,
        )
        if not span.is_recording() and not span.get_span_context().is_valid:
            return NO_STEP  # there is no SDK
        return _OpenStep(self, span)

    def traceparent(self) -> str:
        """Return the current span as a header of W3C Trace Context, or an empty text."""
        current = self._api.get_current_span().get_span_context()
        if not current.is_valid:
            return ""
        return f"00-{current.trace_id:032x}-{current.span_id:016x}-{current.trace_flags:02x}"

    def _links(self, traceparent: str) -> list[Link]:
        found = _TRACE.fullmatch(traceparent)
        if found is None:
            return []
        trace_id, span_id, flags = (int(part, 16) for part in found.groups())
        context = self._api.SpanContext(trace_id, span_id, is_remote=True, trace_flags=self._api.TraceFlags(flags))
        return [self._api.Link(context)] if context.is_valid else []


class _OpenStep:
    """A step whose span is the current one while it is open."""

    __slots__ = ("_span", "_token", "_tracer")

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    def __enter__(self) -> Self:
        self._token = self._tracer._context.attach(self._tracer._api.set_span_in_context(self._span))  # noqa: SLF001 - of one module
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tracer._context.detach(self._token)  # noqa: SLF001 - of one module
        if kind is not None:
            self.fail(kind.__name__)
        self._span.end()

    def note(self, **attributes: Attribute) -> None:
        for name, value in attributes.items():
            self._span.set_attribute(name.replace("__", "."), value)

    def fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(self._tracer._api.StatusCode.ERROR)  # noqa: SLF001 - of one module


class Instrument(NamedTuple):
    """A metric as OpenTelemetry asks for it.

    Attributes:
        name: Its name with dots.
        rises: It is a counter.
        help: Its meaning.
        labels: The names of the attributes of its values.
    """

    name: str
    rises: bool
    help: str
    labels: tuple[str, ...]


Values: TypeAlias = Mapping[str, Mapping[tuple[str, ...], float]]
"""The values of instruments, by name and the values of their attributes."""


def observe(
    instruments: Iterable[Instrument], read: Callable[[], Values], provider: MeterProvider | None = None
) -> None:
    """Let OpenTelemetry ask for values whenever its SDK collects.

    Args:
        instruments: What to ask for.
        read: Returns all values. It is called once for each collection.
        provider: Where they go. `None`: the one that the host has set for the process.

    Raises:
        MissingExtra: The library is not installed.
    """
    try:
        from opentelemetry import metrics  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise MissingExtra("Telemetry", "telemetry") from None
    meter = metrics.get_meter("policenotify", version("policenotify"), meter_provider=provider)
    seen: list[tuple[float, Values]] = []

    def values(instrument: Instrument, _options: CallbackOptions) -> Iterator[Observation]:
        now = time.monotonic()
        if not seen or now - seen[0][0] > _COLLECTION:
            seen[:] = [(now, read())]
        for labels, value in seen[0][1].get(instrument.name, {}).items():
            yield metrics.Observation(value, dict(zip(instrument.labels, labels, strict=True)))

    for instrument in instruments:
        make = meter.create_observable_counter if instrument.rises else meter.create_observable_gauge
        make(instrument.name, callbacks=[partial(values, instrument)], description=instrument.help)


def tracer_if(wanted: bool | None) -> Tracer | None:  # noqa: FBT001 - a setting with three values
    """Return a tracer if the installation asks for one.

    Args:
        wanted: What the settings state. `None`: if a variable `OTEL_…` of the environment configures an SDK, and the
            library is installed.

    Raises:
        MissingExtra: The settings ask for it, and the library is not installed.
    """
    if os.environ.get(_DISABLED, "").lower() == "true" or wanted is False:
        return None
    if wanted:
        return Tracer()
    if not any(name.startswith(_VARIABLES) for name in os.environ):
        return None
    try:
        return Tracer()
    except MissingExtra:
        return None
