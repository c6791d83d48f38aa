"""The web service example, through its framework's test client. For Django see tests/integration/runners."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Desk, open_desk

_WEB = Path(__file__).parents[2] / "examples" / "web"
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
