"""What axe-core finds on the pages of the admin, in a browser, with their styles."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application
from django.test import Client
from PIL import Image as Pillow

from policenotify import Image
from policenotify.errors import Unconfirmed
from policenotify.integrations.django import joined
from policenotify.testing.publisher import RECIPIENTS, Recording
from tests.integration.runners.officers import (
    ADMIN,
    NUMBERS,
    fields,
    open_incident,
)
from tests.support.installation import accident

CUT = Unconfirmed("The connection was cut.")
SOMEBODY = RECIPIENTS[""][0]


_BROWSER = Path(__file__).parents[2] / "acceptance" / "browser"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


_DJANGOS = '.small > a[href="?"]'
"""The link that ends a search, in Django's own list of rows."""


def _axe(pages: dict[str, bytes]) -> dict[tuple[str, int, str], list[str]]:
    """Return what axe-core finds on each page, with the styles of the admin."""
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if chromium is None or node is None or not (_BROWSER / "node_modules" / "axe-core").is_dir():
        pytest.skip("needs a browser and its packages: .ci/run browser")
    static = StaticFilesHandler(get_wsgi_application())

    def application(environ: Any, start: Any) -> Any:
        if (name := environ["PATH_INFO"][1:]) in pages:
            start("200 OK", [("Content-Type", "text/html; charset=utf-8")])
            return [pages[name]]
        if name.startswith("static/"):
            return static(environ, start)
        start("404 Not Found", [])
        return [b""]

    with make_server("127.0.0.1", 0, application, handler_class=_Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        named = {name: f"http://127.0.0.1:{server.server_port}/{name}" for name in pages}
        done = subprocess.run(  # noqa: S603 - our own script
            [node, str(_BROWSER / "measure.mjs")],
            input=json.dumps({"chromium": chromium, "pages": named, "walk": []}),
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        server.shutdown()
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {one["page"] for one in seen} == pages.keys()
    ours = {
        (one["page"], one["width"], one["scheme"]): [each for each in one["violations"] if _DJANGOS not in each]
        for one in seen
    }
    return {view: found for view, found in ours.items() if found}


@pytest.mark.browser
@pytest.mark.slow
def test_axe_finds_nothing_on_the_pages_of_the_admin(desk: Recording, incident: str) -> None:
    picture = io.BytesIO()
    Pillow.new("RGB", (64, 48), (200, 30, 30)).save(picture, "JPEG")
    user = get_user_model().objects.create_superuser(f"claire{next(NUMBERS)}")
    client = Client()
    client.force_login(user)
    desk.fail_next("presse", CUT, recipient=SOMEBODY)
    opened = open_incident(incident, images=[Image(data=picture.getvalue(), alt="Plan du quartier fermé")])
    desk.deliver()
    with joined() as current:
        message = accident(category="police_operation", images=[Image(data=picture.getvalue(), alt="Plan")])
        draft = current.drafts.create(message, actor="hugo")
        current.drafts.submit(draft.id, actor="hugo", reason="Périmètre confirmé par le chef.")
    end = {"key": "e", "headline": "Fin d'intervention", "description": "Circulation rétablie."}
    held = opened.on("presse").delivery
    answers = {
        "form": client.get(f"{ADMIN}/incidentrow/add/"),
        "errors": client.post(f"{ADMIN}/incidentrow/add/", fields(commune="99999")),
        "preview": client.post(f"{ADMIN}/incidentrow/{incident}/end/", end),
        "incidents": client.get(f"{ADMIN}/incidentrow/"),
        "incident": client.get(f"{ADMIN}/incidentrow/{incident}/change/"),
        "publication": client.get(f"{ADMIN}/publicationrow/{opened.id}/change/"),
        "withdraw": client.get(f"{ADMIN}/publicationrow/{opened.id}/withdraw/"),
        "delivery": client.get(f"{ADMIN}/deliveryrow/{held}/change/"),
        "settle": client.get(f"{ADMIN}/deliveryrow/{held}/posted/"),
        "draft": client.get(f"{ADMIN}/draftrow/{draft.id}/change/"),
        "approve": client.get(f"{ADMIN}/draftrow/{draft.id}/approve/"),
        "channels": client.get(f"{ADMIN}/channelrow/"),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 200)
    pages = {name: answer.content for name, answer in answers.items()}
    assert b'alt="Plan"' in pages["approve"]
    assert _axe(pages) == {}
