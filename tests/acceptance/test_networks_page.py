"""`docs/reference/networks.md` tells what the networks declare."""

from __future__ import annotations

from pathlib import Path

import pytest

from policenotify.cli.commands.networks import capabilities_in_words, network_info
from policenotify.cli.output import UNVERIFIED
from policenotify.networks.registry import OWN_PACKAGE, network, networks
from tests.support import golden, networks_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "networks.md"


def test_the_page_shows_what_the_networks_declare() -> None:
    golden.check(PAGE, networks_page.page(PAGE.read_text(encoding="utf-8")))


def test_no_network_is_left_out() -> None:
    assert set(networks_page.OPTIONS) == {one.name for one in networks() if one.package == OWN_PACKAGE}


@pytest.mark.parametrize("name", networks_page.OPTIONS)
def test_the_page_and_the_command_show_the_same_of_a_network(name: str) -> None:
    capabilities = network_info(network(name), "").capabilities
    rows = dict(_row(line, name) for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| "))
    if capabilities is None:  # it depends on the account
        assert name == "apprise"
        return
    told = "; ".join(map(str, capabilities_in_words(capabilities)))
    assert (rows["edits"] == "yes") == ("posts can be changed" in told)
    assert (rows["deletes"] == "yes") == ("posts can be deleted" in told)
    assert bool(rows["key posts once"]) == ("one key posts once" in told)
    assert rows["key posts once"] in told
    assert rows["text limit"].replace(",", "") in told
    assert (rows["confirmation"] == "unverified") == (str(UNVERIFIED) in told)
    assert bool(rows["look-up, absence believed"]) == ("it can be asked" in told)


def _row(line: str, name: str) -> tuple[str, str]:
    title, *cells = (cell.strip() for cell in line.strip("|").split("|"))
    return title, dict(zip(networks_page.OPTIONS, cells, strict=False)).get(name, "")
