"""`networks new`: write the package of a new network, completely or not at all."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from policenotify.cli.commands.networks_new import _bound
from policenotify.errors import SettingsError
from policenotify.networks.registry import configure_channel, network, networks
from tests.support.shell import Run

OURS = Path(__file__).parents[3] / "pyproject.toml"


def test_written_files_are_listed_and_form_a_network(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = run("networks", "new", "none", "--json").document
    package = tmp_path / "policenotify-none"
    assert sorted(document["written"]) == sorted(
        str(path.relative_to(tmp_path)) for path in package.rglob("*") if path.is_file()
    )
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))
    [(name, target)] = project["project"]["entry-points"]["policenotify.networks"].items()
    assert (name, target) == ("none", "policenotify_none:NoneChannel")
    assert project["project"]["dependencies"][0] == f"policenotify{_bound(version('policenotify'))}"
    assert project["build-system"] == tomllib.loads(OURS.read_text(encoding="utf-8"))["build-system"]

    info = package / "src" / "policenotify_none-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: policenotify-none\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[policenotify.networks]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(package / "src")
    networks.cache_clear()
    try:
        assert network("none").load().Options.model_json_schema()["required"] == ["token", "server"]
        made = configure_channel("one", "none", {"server": "https://none.example/", "token": "t0ken"})
        assert (made.account, made.capabilities.budget.limit) == ("https://none.example", 280)
        for wrong, said in {
            "server": ("http://none.example", "channels.one.server: must be https://"),
            "timeout": (0, "channels.one.timeout: Input should be greater than 0"),
        }.items():
            given = {"server": "https://none.example", "token": "t0ken"} | {wrong: said[0]}
            with pytest.raises(SettingsError) as raised:
                configure_channel("one", "none", given)
            assert str(raised.value).startswith(said[1])
        again = run("networks", "new", "none", "--folder", "another")
        assert again.code == 1
        assert "'none' is a network of the installed package 'policenotify-none'" in again.err
    finally:
        networks.cache_clear()
        sys.modules.pop("policenotify_none", None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("new", "'new' is a command of `policenotify networks`. Name the network otherwise: 'my-new'."),
        ("bluesky", "a network of the installed package 'policenotify'"),
        ("My_Radio", "Did you mean 'my-radio'?"),
        ("Émetteur de l'Hérault", "Did you mean 'emetteur-de-l-heraul'?"),
        ("3cx--", "Did you mean 'cx'?"),
        ("-", "beginning with a letter.\n"),
        ("π", "beginning with a letter.\n"),
        ("a" * 21, f"Did you mean '{'a' * 20}'?"),
        ("../radio", "Did you mean 'radio'?"),
    ],
)
def test_a_name_that_cannot_be_one_is_met_with_the_nearest(run: Run, tmp_path: Path, name: str, said: str) -> None:
    ran = run("networks", "new", name)
    assert ran.code in {1, 2}
    assert said in ran.err
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_not_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("networks", "new", "radio", "--folder", "empty").code == 0
    assert (tmp_path / "empty" / "pyproject.toml").exists()
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for place, said in {
        "empty": "empty exists already, and is not empty. Nothing was written",
        "file": "file exists already",
        "no/such/radio": f"There is no folder {tmp_path / 'no' / 'such'}. Nothing was written",
    }.items():
        ran = run("networks", "new", "radio", "--folder", place)
        assert (ran.code, ran.out) == (1, "")
        assert said in ran.err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "file"}


def test_nothing_half_written_is_left(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrote = Path.write_text

    def full(path: Path, text: str, *, encoding: str) -> int:
        if path.name == "__init__.py":
            raise OSError(28, "No space left on device")
        return wrote(path, text, encoding=encoding)

    monkeypatch.setattr(Path, "write_text", full)
    ran = run("networks", "new", "radio")
    assert ran.code == 1
    assert "policenotify-radio cannot be written (No space left on device). Nothing was written." in ran.err
    assert list(tmp_path.iterdir()) == []


def test_the_bound_ends_where_what_is_public_may_change() -> None:
    assert _bound("0.1.0") == ">=0.1,<0.2"
    assert _bound("2.10.3.dev1+local") == ">=2.10,<3"
