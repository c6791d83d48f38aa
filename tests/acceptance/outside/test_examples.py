"""The networks of `examples/`, packages of their own, work beside our wheel like the bundled ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.outside.environments import ROOT, Environment, run, uv_program
from tests.acceptance.peers.programs import Running, listens, program
from tests.support.ports import free_port

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


@pytest.fixture
def ntfy(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A real ntfy server: its address, and the tokens of one who reads and writes, and of one who only writes."""
    own, port = program("ntfy", "Debian's package ntfy"), free_port()
    told = {"listen-http": f"127.0.0.1:{port}", "base-url": f"http://127.0.0.1:{port}"}
    files = {"cache-file": "cache.db", "auth-file": "users.db", "attachment-cache-dir": "files"}
    settings = told | {name: os.fspath(tmp_path / file) for name, file in files.items()}
    file = tmp_path / "server.yml"
    file.write_text(
        "".join(f"{name}: {value}\n" for name, value in settings.items()) + "auth-default-access: deny-all\n"
    )
    server = Running(own, "serve", "--config", file, folder=tmp_path)

    def token(name: str, access: str) -> str:
        for asked in (("user", "add", name), ("access", name, "police", access), ("token", "add", name)):
            command = [own, asked[0], "--config", os.fspath(file), *asked[1:]]
            said = subprocess.run(  # noqa: S603 - its own program
                command, env=os.environ | {"NTFY_PASSWORD": "hunter2"}, check=True, capture_output=True, text=True
            )
        [found] = re.findall(r"tk_[a-z0-9]+", said.stdout + said.stderr)
        return str(found)

    try:
        server.until(lambda: listens(port))
        yield {"server": settings["base-url"], "token": token("desk", "rw"), "writer": token("writer", "wo")}
    finally:
        server.end()


def test_a_real_ntfy_server_shows_the_published_post(
    installed: Environment, ntfy: dict[str, str], tmp_path: Path
) -> None:
    drive = os.fspath(Path(__file__).with_name("drive_ntfy.py"))
    assert json.loads(installed.run("python", drive, json.dumps(ntfy), at=tmp_path)) == {
        "account": f"{ntfy['server']}/police",
        "denied": [["Blocked", "401"], ["Blocked", "403"]],
        "arrived": True,
        "ids": True,
        "clicks": True,
        "files": [],
    }
