"""`docs/explanation/tested-servers.md` names the tests that `.ci/run peers` runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PEERS = _ROOT / "tests" / "acceptance" / "peers"
PAGE = (_ROOT / "docs" / "explanation" / "tested-servers.md").read_text(encoding="utf-8")


def test_the_lists_are_the_names_of_the_tests() -> None:
    names = {
        name.replace("_", " ").capitalize()
        for file in _PEERS.glob("test_*.py")
        for name in re.findall(r"^ *def test_(\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert set(re.findall(r"^- (.+)$", PAGE, re.MULTILINE)) == names


def test_the_pinned_server_has_its_version() -> None:
    pinned = json.loads((_PEERS / "pds" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert f"| @atproto/pds {pinned['@atproto/pds']} |" in PAGE
