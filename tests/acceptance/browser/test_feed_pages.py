"""The pages of a feed, as its server sends them: axe-core and measured boxes in Chromium, and the W3C's validator."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import uvicorn

from policenotify.channel import Picture
from policenotify.formats.drawing import draw
from policenotify.formats.feed import picture_path
from policenotify.formats.item import Item
from policenotify.model.message import Known, Translation
from policenotify.web import app
from tests.acceptance.browser.conftest import View, by_view, html_errors, measured
from tests.acceptance.browser.pages import HOSTILE, LONG_WORD, png
from tests.support.feed_items import SITE, digest, make_feed, sample_items

pytestmark = [pytest.mark.browser, pytest.mark.slow]

_ENGLISH = Translation(
    language="en",
    headline="Road accident in avenue de Toulouse",
    description="Two vehicles.\nTraffic is diverted.",
    instruction="Avoid the area.",
    known=Known(confirmed="Two people are hurt.", unconfirmed="The cause."),
)
_ARABIC = Translation(language="ar", headline="حادث مرور", instruction="تجنبوا المنطقة.")


def _items() -> dict[str, list[Item]]:
    """Return the items of each feed by its name."""
    picture = Picture(
        digest=digest("plan"), media_type="image/png", width=1200, height=800, alt='Plan du "secteur" <1>'
    )
    accident = sample_items(
        "accident/opening", "accident/update", "accident/end", changes={"translations": (_ENGLISH, _ARABIC)},
        pictures=[picture],
    )  # fmt: skip
    accident[0] = accident[0].model_copy(update={"pictures": (picture,)})
    fire = sample_items("fire/opening", "fire/end")
    gone = fire[0].withdrawn(fire[1].published_at + timedelta(minutes=5))
    hostile = [
        item.model_copy(update={"title": text[:160], "text": "\n\n".join(HOSTILE), "sender": text, "pictures": ()})
        for item, text in zip(sample_items("bomb/opening", "bomb/update", "scam/info"), HOSTILE, strict=False)
    ]
    exercise = sample_items("police-op/opening", changes={"exercise": True})
    return {
        "real": [*accident, *sample_items("demo/opening"), gone, fire[1]],
        "hostile": [*hostile, hostile[-1].model_copy(update={"title": LONG_WORD[:160], "key": digest("long")})],
        "exercise": exercise,
        "empty": [],
    }


def _shown(items: list[Item]) -> list[str]:
    """Return one page of each kind: the validator reads the others, too."""
    if not items or any(item.message.exercise for item in items):
        return ["index.html"]
    firsts = [item for item in items if item.withdrawn_at] + items[:1]
    pages = [f"m/{item.id}.html" for item in firsts] + [f"i/{item.thread}.html" for item in items[:1]]
    return ["index.html", "embed.html", *pages]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw the feeds, each into a folder of its own."""
    top = tmp_path_factory.mktemp("feeds")
    for name, items in _items().items():
        last = max((item.published_at for item in items), default=None)
        feed = make_feed(*items, site=replace(SITE, url=f"https://alerte.police34.example/{name}/"), now=last)
        files = draw(feed)
        files |= {picture_path(each): png(each.width, each.height) for item in items for each in item.pictures}
        for path, content in files.items():
            (top / name / path).parent.mkdir(parents=True, exist_ok=True)
            (top / name / path).write_bytes(content)
    return top


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[dict[str, str]]:
    """Serve each feed by our own web server, with its policy. Yields their addresses."""
    running, addresses = [], {}
    for feed in sorted(folder.iterdir()):
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app(feed), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread, listener))
        addresses[feed.name] = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    yield addresses
    for server, thread, listener in running:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def found(folder: Path, servers: dict[str, str]) -> list[View]:
    """Return the browser's findings on each page."""
    pages = {f"{name}/{path}": servers[name] + path for name, items in _items().items() for path in _shown(items)}
    assert all((folder / page).is_file() for page in pages)
    return measured(pages)


def test_axe_finds_nothing_but_the_reload_of_the_frame(found: list[View]) -> None:
    remarks = by_view(found, "violations")
    # WCAG 2.2, 2.2.1, excepts what is essential: a frame with open incidents that stays as it is would mislead.
    reloads = {view for view, each in remarks.items() if [words[:13] for words in each] == ["meta-refresh:"]}
    assert {page for page, _ in reloads} <= {page for page, _ in remarks if page.endswith("embed.html")}
    assert {view: each for view, each in remarks.items() if view not in reloads} == {}


def test_nothing_sticks_out(found: list[View]) -> None:
    assert by_view(found, "sticksOut") == {}


def test_the_policy_stops_nothing_that_a_page_needs(found: list[View]) -> None:
    assert by_view(found, "complaints") == {}
    assert by_view(found, "broken") == {}
    # The style sheet was applied.
    assert all(style == "solid" for view in found for style in view["banners"])
    assert {view["background"] for view in found} == {"rgb(236, 239, 243)", "rgb(12, 18, 29)"}


def test_no_page_asks_another_server(found: list[View], servers: dict[str, str]) -> None:
    assert all(request.startswith(tuple(servers.values())) for view in found for request in view["requests"])


def test_headings_are_in_order(found: list[View]) -> None:
    for view in found:
        assert (view["headings"][0], view["headings"].count(1)) == (1, 1), view["page"]
        assert all(after - before <= 1 for before, after in pairwise(view["headings"])), view["page"]


def test_the_w3c_validator_finds_no_error(folder: Path) -> None:
    assert html_errors(folder) == []
