"""The examples for web services, called over their frameworks' own test clients."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from desk import Desk, open_desk

_WEB = Path(__file__).parents[1] / "examples" / "web"
_TIP = {"category": "scam_cyber", "headline": "Faux conseiller bancaire", "instruction": "Raccrochez."}
_WHO = {"Idempotency-Key": "tip-7", "X-Actor": "prevention"}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    with open_desk(tmp_path) as opened:
        opened.write_settings()
        yield opened


def test_fastapi(desk: Desk) -> None:
    testclient = pytest.importorskip("fastapi.testclient")
    app = runpy.run_path(str(_WEB / "fastapi_app.py"))["app"]
    with testclient.TestClient(app) as client:
        first, again = (client.post("/messages", json=_TIP, headers=_WHO) for _ in range(2))
        assert (first.status_code, again.status_code) == (200, 200)
        assert first.json()["id"] == again.json()["id"]
        assert again.json()["repeated"]
        assert client.post("/messages", json={**_TIP, "headline": "Autre"}, headers=_WHO).status_code == 409
        assert client.post("/messages", json={"category": "scam_cyber"}, headers=_WHO).status_code == 422
        severe = {"category": "fire", "headline": "Incendie", "severity": "Severe"}
        refused = client.post("/messages", json=severe, headers={**_WHO, "Idempotency-Key": "tip-8"})
        assert refused.status_code == 422
        assert "PN104" in refused.text
        assert client.get("/publications/tip-7").json()["message"]["headline"] == _TIP["headline"]
        assert client.get("/publications/tip-9").status_code == 404
        desk.publisher().journal.stop("chef")
        assert client.post("/messages", json=_TIP, headers={**_WHO, "Idempotency-Key": "x"}).status_code == 503


def test_django(desk: Desk) -> None:
    django = pytest.importorskip("django")
    from django.conf import settings  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - only where it is
    from django.test import RequestFactory  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - likewise

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["testserver"])
        django.setup()
    views = runpy.run_path(str(_WEB / "django_views.py"))
    officer = SimpleNamespace(get_username=lambda: "brigadier", has_perms=lambda _perms: True)

    def ask(method: str, view: str, body: Any = None, **more: str) -> Any:
        request = RequestFactory().generic(method, "/", json.dumps(body), headers={"Idempotency-Key": "tip-7"})
        request.user = officer
        return views[view](request, **more)

    first, again = ask("POST", "publish", _TIP), ask("POST", "publish", _TIP)
    assert (first.status_code, again.status_code) == (202, 202)
    assert json.loads(first.content)["id"] == json.loads(again.content)["id"]
    assert ask("POST", "publish", {"category": "scam_cyber"}).status_code == 400
    assert ask("POST", "publish", {**_TIP, "headline": "Autre"}).status_code == 503
    assert ask("GET", "publication", key="tip-7").status_code == 200
    assert ask("GET", "publication", key="tip-9").status_code == 404
    assert len(desk.publisher().journal.latest(9)) == 1
