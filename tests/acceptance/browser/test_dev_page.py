"""The page of what readers see, in Chromium: axe-core, its reload, and its form by keyboard and mouse."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from policenotify.testing import Answer, DevNetworks, FakeServer
from policenotify.testing.dev import dev_page
from policenotify.testing.servers import VisibleImage
from tests.acceptance.browser.pages import HOSTILE, LONG_WORD, png

HERE = Path(__file__).parent
WIDTHS = [320, 1280]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Any]]:
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if chromium is None or node is None or not (HERE / "node_modules" / "axe-core").is_dir():
        pytest.skip("needs a browser and its packages: .ci/run browser")
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
        asked = {"chromium": chromium, "url": page, "publish": f"{publisher.url}/publish", "widths": WIDTHS}
        done = subprocess.run(  # noqa: S603 - our own script
            [node, str(HERE / "dev.mjs")],
            input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        yield {**told, "url": page, "modes": [network.mode for network in networks]}


def test_axe_finds_only_the_reload_which_can_be_stopped_and_nothing_sticks_out(found: dict[str, Any]) -> None:
    assert len(found["views"]) == 2 * len(WIDTHS)
    for view in found["views"]:
        assert (view["violations"], view["sticksOut"]) == ([], []), (view["width"], view["scheme"])
    assert [each.partition(":")[0] for each in found["reloading"]] == ["meta-refresh"]


def test_what_a_network_shows_stays_a_text(found: dict[str, Any]) -> None:
    for view in found["views"]:
        assert view["title"] == "Ce que voient les lecteurs – policenotify"  # which a hostile post would change
        assert any(HOSTILE[0] in text for text in view["texts"])
        assert view["pictures"] == [600]  # its width, once it is loaded
        assert view["complaints"] == []
        assert all(request.startswith((found["url"], "data:")) for request in view["requests"])


def test_a_new_post_appears_by_itself(found: dict[str, Any]) -> None:
    assert "En réponse à" in found["live"]["last"]
    assert found["live"]["complaints"] == []


def test_the_form_works_by_keyboard_and_mouse(found: dict[str, Any]) -> None:
    live = found["live"]
    assert (live["pressed"], live["still"]) == ("injoignable", True)
    assert found["modes"] == ["down", "normal", "normal"]


def test_the_w3c_validator_finds_no_error(tmp_path: Path) -> None:
    validator = HERE / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
    java = shutil.which("java")
    if java is None or not validator.is_file():
        pytest.skip("needs java and a package: .ci/run browser")
    page = tmp_path / "page.html"
    with DevNetworks(channels=("x",)) as networks, dev_page(networks) as url:
        networks["x"].server.write("Route barrée.")
        page.write_text(httpx.get(url, trust_env=False).text, encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - the validator
        [java, "-jar", str(validator), "--format", "json", str(page)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    found = [each for each in json.loads(done.stderr)["messages"] if each["type"] != "info"]
    # It does not know container queries (CSS Conditional Rules 5), which browsers have had since 2023.
    assert [each for each in found if "container" not in each["message"]] == []
