"""Routes for a monitoring system: `/metrics`, and `/livez`, `/readyz` and `/healthz` for an orchestrator.

They form an application of their own. Their answers show how a service works and what it is working on, and are not for
the public host of a feed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from policenotify.errors import JournalError

_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_UNAVAILABLE: Final = "The journal is not available.\n"  # why, is in the log and for `policenotify doctor`


class MonitorService(Protocol):
    """What the routes need: `publisher.monitor` has it. Its methods raise `JournalError`."""

    def metrics(self, accept: str = "") -> Any:  # noqa: ANN401 - has `content` and `media_type`
        """Return the metrics in the format that a reader accepts."""

    def status(self) -> Mapping[str, Any]:
        """Return the state of the installation as JSON has it, with its alarms, and `status`: `ok` or `degraded`."""

    def check(self) -> None:
        """Check that the journal can be used."""


def monitoring(monitor: MonitorService) -> Starlette:
    """Return an ASGI application with the metrics and the health of an installation.

    - `/metrics` answers in Prometheus' text format or OpenMetrics, as the reader accepts.
    - `/livez` answers 200 as long as the process runs.
    - `/readyz` answers 200 if the journal can be read and fits the keys and this release, and 503 if not.
    - `/healthz` answers with the state of the installation. A channel that is blocked makes it `degraded` with 200,
      so that no orchestrator ends the process for it. Without a journal the answer is 503.

    Serve it where only the monitoring system reaches it: `/healthz` shows the headlines of open incidents.

    Args:
        monitor: The `monitor` of a publisher.
    """

    def metrics(request: Request) -> Response:
        written = monitor.metrics(request.headers.get("accept", ""))
        return Response(written.content, headers={**_HEADERS, "Content-Type": written.media_type})

    def live(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_HEADERS)

    def ready(request: Request) -> Response:
        monitor.check()
        return live(request)

    def health(_: Request) -> Response:
        return JSONResponse(monitor.status(), headers=_HEADERS)

    def unavailable(_: Request, _error: Exception) -> Response:
        return PlainTextResponse(_UNAVAILABLE, status_code=503, headers=_HEADERS)

    pages: dict[str, Callable[[Request], Response]] = {
        "/metrics": metrics, "/livez": live, "/readyz": ready, "/healthz": health,
    }  # fmt: skip
    routes = [Route(path, page, methods=["GET"]) for path, page in pages.items()]
    return Starlette(routes=routes, exception_handlers={JournalError: unavailable})
