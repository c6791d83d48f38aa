"""`docs/reference/networks.md` tells what the networks declare."""

from __future__ import annotations

import os
from pathlib import Path

import networks_page

from policenotify.registry import OURS, networks

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "networks.md"
WRITE = os.environ.get("POLICENOTIFY_NETWORKS") == "write"


def test_the_page_tells_what_the_networks_declare() -> None:
    there = PAGE.read_text(encoding="utf-8")
    if WRITE:
        PAGE.write_text(networks_page.page(there), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == networks_page.page(there)


def test_no_network_is_left_out() -> None:
    assert set(networks_page.OPTIONS) == {one.name for one in networks() if one.package == OURS}
