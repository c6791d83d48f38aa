"""Our wheel: without the library of any network it names the missing extra of each, and its page has no dead link."""

from __future__ import annotations

import email
import email.policy
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.outside.environments import ROOT, Environment
from tests.support.front_page import PROMISE, anchors
from tests.support.networks_page import OPTIONS

pytestmark = pytest.mark.outside

_READY = {"console"}  # it writes lines by itself
_NEED_EXTRA = {name: options for name, options in OPTIONS.items() if name not in _READY}

_CONFIGURE = f"""
from policenotify.errors import MissingExtra
from policenotify.networks.registry import configure_channel

for network, options in {_NEED_EXTRA!r}.items():
    try:
        configure_channel("one", network, options)
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


def test_its_help_is_french_where_the_desk_is(environment: Callable[..., Environment], tmp_path: Path) -> None:
    shown = environment("cli").run("policenotify", "--help", at=tmp_path, LC_ALL="fr_FR.UTF-8")
    assert shown.startswith("Usage\N{NO-BREAK SPACE}: policenotify [OPTIONS] COMMANDE")
    assert "Publier un message" in shown


def test_every_link_of_its_page_leads_to_a_file_of_the_repository(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(name), policy=email.policy.default)
    urls = dict(entry.split(", ", 1) for entry in metadata.get_all("Project-URL", []))
    assert set(urls) == {"Repository", "Documentation", "Changelog", "Issues"}
    page = str(metadata.get_payload())
    assert metadata["Summary"].endswith(PROMISE)
    targets = [*re.findall(r"\]\(([^)]+)\)", page), urls["Documentation"], urls["Changelog"]]
    assert all(target.startswith("https://") for target in targets)
    inside = re.compile(re.escape(urls["Repository"]) + r"/(?:blob|raw)/main/([^#]+)(?:#(.+))?")
    ours = [found for found in map(inside.fullmatch, targets) if found]
    assert len(ours) > 30
    for found in ours:
        path = ROOT / found[1]
        assert path.exists(), found[0]
        assert found[2] is None or found[2] in anchors(path), found[0]
