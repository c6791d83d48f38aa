"""Routes for a monitoring system: `/metrics`, and `/livez`, `/readyz` and `/healthz` for an orchestrator.

They form an application of their own. Their answers show how a service works and what it is working on, and are not for
the public host of a feed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from policenotify.errors import JournalError, MissingExtra
from policenotify.translation import Text

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_Found = TypeVar("_Found")

_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_UNAVAILABLE: Final = "The journal is not available.\n"  # why, is in the log and for `policenotify doctor`


class Written(Protocol):
    """Metrics as they are written."""

    @property
    def content(self) -> bytes:
        """The text."""

    @property
    def media_type(self) -> str:
        """Its media type."""


class MonitorService(Protocol):
    """What the routes need: `publisher.monitor` has it."""

    def metrics(self, accept: str = "") -> Written:
        """Return the metrics in the format that a reader accepts.

        Raises:
            JournalError: The journal cannot be read.
        """

    def status(self) -> Mapping[str, Any]:
        """Return the state of the installation as JSON has it, with `status`: `ok` or `degraded`.

        Raises:
            JournalError: The journal cannot be read.
        """

    def check(self) -> None:
        """Check that the journal can be used.

        Raises:
            JournalError: It cannot.
        """


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

    Raises:
        MissingExtra: Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette  # noqa: PLC0415 - an extra
        from starlette.concurrency import run_in_threadpool  # noqa: PLC0415 - an extra
        from starlette.responses import JSONResponse, PlainTextResponse, Response  # noqa: PLC0415 - an extra
        from starlette.routing import Route  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise MissingExtra(Text("Monitoring over HTTP"), "web") from None

    def route(path: str, ask: Callable[[Request], _Found], answer: Callable[[_Found], Response]) -> Route:
        """Return a route whose answer needs the journal, which is read in a thread."""

        async def endpoint(request: Request) -> Response:
            try:
                found = await run_in_threadpool(ask, request)
            except JournalError:
                return PlainTextResponse(_UNAVAILABLE, status_code=503, headers=_HEADERS)
            return answer(found)

        return Route(path, endpoint, methods=["GET"])

    def metrics(written: Written) -> Response:
        return Response(written.content, headers={**_HEADERS, "Content-Type": written.media_type})

    async def live(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_HEADERS)

    routes = [
        route("/metrics", lambda request: monitor.metrics(request.headers.get("accept", "")), metrics),
        Route("/livez", live, methods=["GET"]),
        route("/readyz", lambda _: monitor.check(), lambda _: PlainTextResponse("ok\n", headers=_HEADERS)),
        route("/healthz", lambda _: monitor.status(), lambda found: JSONResponse(found, headers=_HEADERS)),
    ]
    return Starlette(routes=routes)
