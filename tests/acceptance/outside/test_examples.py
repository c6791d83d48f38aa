"""The networks of `examples/`, packages of their own, work beside our wheel like the bundled ones."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.outside.environments import ROOT, Environment, run, uv_program

pytestmark = pytest.mark.outside

_PACKAGES = ("policenotify-ntfy", "policenotify-threads")


@pytest.fixture(scope="module")
def installed(environment: Callable[..., Environment], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("examples")
    for package in _PACKAGES:
        build = [uv_program(), "build", "--quiet", "--wheel", "--out-dir", os.fspath(folder)]
        run([*build, os.fspath(ROOT / "examples" / package)], at=folder)
    return environment("cli,testing", *sorted(folder.glob("*.whl")))


@pytest.fixture
def tests_of(tmp_path: Path) -> Callable[[str], Path]:
    """The tests of a package, with none of its sources near."""

    def copied(package: str) -> Path:
        return shutil.copytree(ROOT / "examples" / package / "tests", tmp_path / package)

    return copied


@pytest.mark.parametrize("package", _PACKAGES)
def test_its_own_tests_pass(installed: Environment, tests_of: Callable[[str], Path], package: str) -> None:
    told = installed.run("python", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", at=tests_of(package))
    assert " passed" in told
    assert "skipped" not in told


def test_they_are_networks_like_any_other(installed: Environment, tmp_path: Path) -> None:
    known = json.loads(installed.run("policenotify", "networks", "--json", at=tmp_path))["networks"]
    ours = {one["name"]: one for one in known if one["package"] in _PACKAGES}
    assert {name: (one["package"], one["ready"], one["problem"]) for name, one in ours.items()} == {
        "ntfy": ("policenotify-ntfy", True, ""),
        "threads": ("policenotify-threads", True, ""),
    }
    options = [[option["name"] for option in ours[name]["options"]] for name in ("ntfy", "threads")]
    assert options == [["topic", "token", "server", "timeout"], ["username", "token", "server", "timeout"]]
    assert ours["threads"]["capabilities"]["replies"]


def test_an_incident_arrives_on_both_once(
    installed: Environment, tests_of: Callable[[str], Path], tmp_path: Path
) -> None:
    """Though an answer is lost."""
    server, incident = tests_of("policenotify-threads"), os.fspath(ROOT / "examples" / "incident.py")
    drive = os.fspath(Path(__file__).with_name("drive_examples.py"))
    said = installed.run("python", drive, incident, at=tmp_path, PYTHONPATH=os.fspath(server))
    told = json.loads(said.splitlines()[-1])
    assert [push[:2] for push in told["pushed"]] == [["police34", 4], ["police34", 3], ["police34", 3]]
    ids, parents, texts = zip(*told["shown"], strict=True)
    assert parents == ("", *ids[:2])
    for words, text in zip(("le secteur", "voie rouverte", "rétablie"), texts, strict=True):
        assert words in text
