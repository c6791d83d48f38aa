"""The page of what readers see, in Chromium: axe-core, live posts, and the switches by keyboard and mouse."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from policenotify.testing import Answer, DevNetworks, DevPage, FakeServer
from policenotify.testing.dev.kinds import MastodonDevNetwork, WebhookDevNetwork, XDevNetwork
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
    networks = DevNetworks(kinds=(XDevNetwork, MastodonDevNetwork, WebhookDevNetwork))
    with networks, DevPage(networks) as page, FakeServer() as publisher:
        x = networks["x"].server
        opening = x.write("🚨 Accident à Montpellier.\n\nÉvitez le secteur.")
        x._put("Plan", opening, (VisibleImage("Plan du secteur", png(600, 300), "image/png"),), x._clock())
        for text in (*HOSTILE, LONG_WORD):
            networks["mastodon"].server.write(text)

        def publish(_: object) -> Answer:
            x.write("Circulation rétablie.", parent=opening)
            return Answer.json({})

        publisher.on("POST", "/publish", publish)
        asked = {"chromium": chromium, "url": page.url, "publish": f"{publisher.url}/publish", "widths": WIDTHS}
        done = subprocess.run(  # noqa: S603 - our own script
            [node, str(HERE / "dev.mjs")],
            input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        told["url"] = page.url
        yield told


def test_axe_finds_nothing_and_nothing_sticks_out(found: dict[str, Any]) -> None:
    assert len(found["views"]) == 2 * len(WIDTHS)
    for view in found["views"]:
        assert (view["violations"], view["sticksOut"]) == ([], []), (view["width"], view["scheme"])


def test_what_a_network_shows_stays_a_text(found: dict[str, Any]) -> None:
    for view in found["views"]:
        assert view["title"] == "Ce que voient les lecteurs – policenotify"  # which a hostile post would change
        assert HOSTILE[0] in view["texts"]
        assert view["complaints"] == []
        assert all(request.startswith((found["url"], "data:")) for request in view["requests"])


def test_a_new_post_appears_and_is_announced(found: dict[str, Any]) -> None:
    assert found["live"]["news"].startswith("Nouveau sur X.")
    assert "Circulation rétablie." in found["live"]["first"]
    assert "réponse" in found["live"]["first"]
    assert found["live"]["complaints"] == []


def test_the_switches_work_by_keyboard_and_keep_the_focus(found: dict[str, Any]) -> None:
    live = found["live"]
    assert (live["down"], live["focused"]) == (True, True)
    assert [network["mode"] for network in live["state"]["networks"]] == ["down", "normal", "normal"]
    assert (live["reset"], live["none"]) == ("normal", 3)


def test_the_w3c_validator_finds_no_error() -> None:
    validator = HERE / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
    java = shutil.which("java")
    if java is None or not validator.is_file():
        pytest.skip("needs java and a package: .ci/run browser")
    page = files("policenotify.testing.dev") / "page" / "index.html"
    done = subprocess.run(  # noqa: S603 - the validator
        [java, "-jar", str(validator), "--format", "json", str(page)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert [each for each in json.loads(done.stderr)["messages"] if each["type"] != "info"] == []
