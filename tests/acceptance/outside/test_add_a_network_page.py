"""Follow the page from an empty folder to a published package."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from policenotify.testing import Answer, FakeServer
from tests.acceptance.outside.environments import ROOT, Environment
from tests.acceptance.outside.pages import script

pytestmark = pytest.mark.outside

PAGE = ROOT / "docs" / "howto" / "add-a-network.md"


def test_the_page_leads_from_an_empty_folder_to_a_published_package(
    environment: Callable[..., Environment], reader: dict[str, str], tmp_path: Path
) -> None:
    with FakeServer(Answer()) as index:
        said = environment("cli").shell(
            script(PAGE), at=tmp_path, **reader, UV_PUBLISH_URL=f"{index.url}/legacy/", UV_PUBLISH_TOKEN="t0ken"
        )
    assert len(re.findall(r"^=+ \d+ passed|^\d+ passed", said, re.MULTILINE)) == 2
    assert "Accident de la circulation" in said
    assert '"writeOnly": true' in said
    uploads = [seen.body for seen in index.requests if seen.method == "POST"]
    names = {name.decode() for body in uploads for name in re.findall(rb'filename="([^"]+)"', body)}
    assert names == {"policenotify_radio-0.1.0-py3-none-any.whl", "policenotify_radio-0.1.0.tar.gz"}
    assert [path.name for path in tmp_path.iterdir()] == ["policenotify-radio"]
