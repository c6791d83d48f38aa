"""Spans for OpenTelemetry, where the host has set up its SDK. Without one each step costs a look-up.

A span holds ids, numbers, names from the settings and words of closed sets. It never holds a text, an address, the id
of an incident or a token.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any, Final, Literal, TypeAlias

Attributes: TypeAlias = Mapping[str, str | int | bool]

_API: Final = "opentelemetry.trace"
_TRACE: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")  # W3C Trace Context, section 3.2


def _api() -> ModuleType | None:
    """Return the library if this process has it. Who sets up an SDK has imported it, so nothing else does."""
    return import_module(_API) if _API in sys.modules else None  # it waits for an import by another thread


@cache
def _tracer() -> Any:  # noqa: ANN401 - of the library
    return import_module(_API).get_tracer("policenotify", version("policenotify"))


@contextmanager
def span(
    name: str,
    kind: Literal["INTERNAL", "CLIENT", "CONSUMER"] = "INTERNAL",
    attributes: Attributes | None = None,
    *,
    link: str = "",
) -> Iterator[None]:
    """Record a step of the work as a span below the current one. An error that leaves it is named by its class.

    Args:
        name: Its name.
        kind: As of OpenTelemetry.
        attributes: What is known of it already.
        link: The `traceparent` of another span that it belongs to, perhaps of another process, hours ago.
    """
    if (api := _api()) is None:
        yield
        return
    with _tracer().start_as_current_span(
        name,
        kind=api.SpanKind[kind],
        attributes=attributes,
        links=_links(api, link),
        record_exception=False,  # its text may hold what was to be published
        set_status_on_exception=False,
    ):
        try:
            yield
        except BaseException as error:
            note({}, failed=type(error).__name__)
            raise


def note(attributes: Attributes, *, failed: str = "") -> None:
    """Add attributes to the current span.

    Args:
        attributes: The attributes.
        failed: How its step failed, if it did: a word of a closed set, the class of an exception or a network's code.
    """
    if (api := _api()) is None:
        return
    current = api.get_current_span()
    current.set_attributes(attributes)
    if failed:
        current.set_attribute("error.type", failed)
        current.set_status(api.StatusCode.ERROR)


def traceparent() -> str:
    """Return the current span as a header of W3C Trace Context, or an empty text."""
    api = _api()
    current = api.get_current_span().get_span_context() if api else None
    if current is None or not current.is_valid:
        return ""
    return f"00-{current.trace_id:032x}-{current.span_id:016x}-{current.trace_flags:02x}"


def _links(api: ModuleType, traceparent: str) -> list[object]:
    if (found := _TRACE.fullmatch(traceparent)) is None:
        return []
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    context = api.SpanContext(trace_id, span_id, is_remote=True, trace_flags=api.TraceFlags(flags))
    return [api.Link(context)] if context.is_valid else []
