"""`docs/reference/networks.md` tells what the networks declare."""

from __future__ import annotations

from pathlib import Path

from policenotify.networks.registry import OWN_PACKAGE, networks
from tests.support import golden, networks_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "networks.md"


def test_the_page_shows_what_the_networks_declare() -> None:
    golden.check(PAGE, networks_page.page(PAGE.read_text(encoding="utf-8")))


def test_no_network_is_left_out() -> None:
    assert set(networks_page.OPTIONS) == {one.name for one in networks() if one.package == OWN_PACKAGE}
