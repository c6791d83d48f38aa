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
