"""The page of what readers see, in Chromium: axe-core, its reload, and its form by keyboard and mouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from policenotify.testing import Answer, DevNetworks, FakeServer
from policenotify.testing.dev import dev_page
from policenotify.testing.servers import VisibleImage
from tests.acceptance.browser.conftest import browse, html_errors, measured
from tests.acceptance.browser.pages import HOSTILE, LONG_WORD, png

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Any]]:
    with ExitStack() as running:
        networks = running.enter_context(DevNetworks(channels=("x", "mastodon", "webhook")))
        page = running.enter_context(dev_page(networks, language="fr"))
        publisher = running.enter_context(FakeServer())
        x = networks["x"].server
        opening = x.write("🚨 Accident à Montpellier.\n\nÉvitez le secteur.")
        x._put("Plan", opening, (VisibleImage("Plan du secteur", png(600, 300), "image/png"),), x._now())
        for text in (*HOSTILE, LONG_WORD):
            networks["mastodon"].server.write(text)

        def publish(_: object) -> Answer:
            x.write("Circulation rétablie.", parent=opening)
            return Answer.json({})

        publisher.on("POST", "/publish", publish)
        views = measured({"dev": f"{page}?still"})
        live = browse("dev.mjs", url=page, publish=f"{publisher.url}/publish")
        yield {"views": views, "live": live, "url": page, "modes": [network.mode for network in networks]}


def test_axe_finds_only_the_reload_which_can_be_stopped_and_nothing_sticks_out(found: dict[str, Any]) -> None:
    for view in found["views"]:
        assert (view["violations"], view["sticksOut"]) == ([], []), (view["width"], view["scheme"])
    assert [each.partition(":")[0] for each in found["live"]["reloading"]] == ["meta-refresh"]


def test_what_a_network_shows_stays_a_text(found: dict[str, Any]) -> None:
    for view in found["views"]:
        assert view["title"] == "Ce que voient les lecteurs – policenotify"  # which a hostile post would change
        assert any(HOSTILE[0] in text for text in view["texts"])
        assert (view["broken"], view["complaints"]) == ([], [])
        assert all(request.startswith(found["url"]) for request in view["requests"])


def test_a_new_post_appears_by_itself(found: dict[str, Any]) -> None:
    assert "En réponse à" in found["live"]["last"]
    assert found["live"]["complaints"] == []


def test_the_form_works_by_keyboard_and_mouse(found: dict[str, Any]) -> None:
    assert (found["live"]["pressed"], found["live"]["still"]) == ("injoignable", True)
    assert found["modes"] == ["down", "normal", "normal"]


def test_the_w3c_validator_finds_no_error(tmp_path: Path) -> None:
    with DevNetworks(channels=("x",)) as networks, dev_page(networks) as url:
        networks["x"].server.write("Route barrée.")
        (tmp_path / "page.html").write_text(httpx.get(url, trust_env=False).text, encoding="utf-8")
    # It does not know container queries (CSS Conditional Rules 5), which browsers have had since 2023.
    assert [each for each in html_errors(tmp_path) if "container" not in each["message"]] == []
