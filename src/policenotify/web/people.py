"""Routes by which people leave, and gateways report: `/stop/TOKEN` and `/dlr/CHANNEL/TOKEN`.

A link to leave works by one POST without cookies (RFC 8058), which mail programs send by themselves. A GET shows a page
with a button and changes nothing, as virus scanners follow every link. No script, no cookie, no referrer, no index. A
token that is not ours gets the same 404 as any other path.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from typing import Final, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from policenotify.errors import JournalError

MOST_BYTES: Final = 65_536
"""Bytes of a delivery receipt that are taken. Receipts have some hundreds."""

_AGAIN: Final = 60  # seconds, for programs that try again after a 503
_STYLE: Final = """\
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 10vh auto; padding: 0 1rem; color: #111 }
button { font: inherit; padding: .6rem 1.2rem; border: 0; border-radius: .3rem; background: #003189; color: #fff }
button:focus-visible { outline: 3px solid #e07b00; outline-offset: 2px }
hr { margin: 2rem 0; border: 0; border-top: 1px solid #bbb }
"""
_STYLE_DIGEST: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
_PAGE: Final = """\
<!doctype html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex, nofollow">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{french}
<hr>
<div lang="en">
{english}
</div>
</main>
</body>
</html>
"""
_BUTTON: Final = (
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    '<button type="submit">{label}</button></form>'
)


class PeopleService(Protocol):
    """What the routes need: `publisher.people` has it."""

    def knows(self, token: str) -> bool:
        """Return True if a link to leave is ours. Nothing is changed."""

    def leave(self, token: str) -> bool:
        """Stop writing to the person of a link. The result is False if it is not ours."""

    def receipt(self, channel: str, token: str, *, body: bytes, query: str) -> str:
        """Record a delivery receipt, and return the body that confirms it. Empty: the token is not ours.

        Raises:
            ValueError: It is not a receipt.
        """


def _page(title: str, french: str, english: str) -> str:
    return _PAGE.format(title=title, style=_STYLE, french=french, english=english)


_ASK: Final = _page(
    "Ne plus recevoir de messages – Unsubscribe",
    "<h1>Ne plus recevoir ces messages ?</h1>\n<p>Vous ne recevrez plus d’alertes ni d’informations de cette liste, "
    f"même en cas de danger.</p>\n{_BUTTON.format(label='Ne plus recevoir')}",
    "<h2>Unsubscribe?</h2>\n<p>You will not receive alerts or information from this list any more, even in an "
    f"emergency.</p>\n{_BUTTON.format(label='Unsubscribe')}",
)
_DONE: Final = _page(
    "C’est fait – Unsubscribed",
    "<h1>C’est fait</h1>\n<p>Nous ne vous écrirons plus par cette liste. Pour recevoir de nouveau les alertes, "
    "adressez-vous au service qui les envoie.</p>",
    "<h2>Unsubscribed</h2>\n<p>We will not write to you through this list any more. To receive alerts again, contact "
    "the service that sends them.</p>",
)


def _later() -> HTTPException:
    text = "Réessayez dans quelques minutes : rien n’a changé. – Try again in some minutes: nothing has changed."
    return HTTPException(503, text, headers={**_HEADERS, "Retry-After": str(_AGAIN)})


def _leaving(ask: Callable[[str], bool], page: str) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            ours = ask(request.path_params["token"])
        except JournalError:
            raise _later() from None
        if not ours:
            raise HTTPException(404)
        return HTMLResponse(page, headers=_HEADERS)

    return answer


def routes(people: PeopleService) -> list[Route]:
    """Return the routes."""

    async def receipt(request: Request) -> Response:
        """Take a call of a gateway, by GET or POST and in any form. Nothing of it is repeated."""
        body = bytearray()
        try:
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_BYTES:
                    raise HTTPException(413)
            confirmation = await run_in_threadpool(
                people.receipt,
                request.path_params["channel"],
                request.path_params["token"],
                body=bytes(body),
                query=request.url.query,
            )
        except JournalError:
            raise _later() from None
        except (ClientDisconnect, ValueError):  # the server would log it with a traceback
            raise HTTPException(400) from None
        if not confirmation:
            raise HTTPException(404)
        return PlainTextResponse(confirmation, headers=_HEADERS)

    return [
        Route("/stop/{token}", _leaving(people.knows, _ASK), methods=["GET"]),
        Route("/stop/{token}", _leaving(people.leave, _DONE), methods=["POST"]),
        Route("/dlr/{channel}/{token}", receipt, methods=["GET", "POST"]),
    ]
