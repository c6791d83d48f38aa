"""Without the library of any network, our wheel names the missing extra of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.outside.environments import Environment
from tests.support.networks_page import OPTIONS

pytestmark = pytest.mark.outside

_READY = {"feed", "console", "file"}  # they write files and lines by themselves
_NEED_EXTRA = {name: options for name, options in OPTIONS.items() if name not in _READY}

_CONFIGURE = f"""
from policenotify.errors import MissingExtra
from policenotify.networks.registry import configure_channel

for network, options in {_NEED_EXTRA!r}.items():
    try:
        configure_channel("one", network, options, recipients=lambda: ())
    except MissingExtra as error:
        print(error)
"""


def test_a_network_without_its_library_names_the_extra(environment: Callable[..., Environment], tmp_path: Path) -> None:
    fresh = environment("cli")
    known = json.loads(fresh.run("policenotify", "networks", "--json", at=tmp_path))["networks"]
    assert {one["name"] for one in known if one["ready"]} == _READY
    assert {one["name"] for one in known} == set(OPTIONS)
    lacks = {one["name"]: set(one["missing"]) for one in known}
    assert lacks["bluesky"] == {"atproto", "httpx"}
    assert fresh.run("python", "-c", _CONFIGURE, at=tmp_path).splitlines() == [
        f"The network {name!r} needs an extra. Install it: pip install 'policenotify[{name}]'" for name in _NEED_EXTRA
    ]
