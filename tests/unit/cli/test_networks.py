"""`networks`: each that is installed, its options, and the package of a new one."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from policenotify.errors import SettingsError
from policenotify.networks.registry import configure_channel, network, networks
from tests.support.networks_page import OPTIONS
from tests.support.shell import Run


def test_every_network_and_whether_it_is_ready(run: Run) -> None:
    ran = run("networks")
    assert (ran.code, ran.err) == (0, "")
    assert "bluesky · of the package policenotify" in ran.out
    assert "policenotify networks NAME" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    known = {one["name"]: one for one in run("networks", "--json").document["networks"]}
    assert known["bluesky"]["ready"] is True
    assert known["bluesky"]["capabilities"]["replies"] is True
    assert known["email"]["capabilities"]["recipients"] is True


def test_one_network_with_its_options(run: Run) -> None:
    ran = run("networks", "bluesky")
    assert ran.code == 0
    assert "# text · The account's handle, such as `police.example`." in ran.out
    assert "# secret text · " in ran.out
    assert '#service = "https://bsky.social"\n' in ran.out
    assert "clock" not in ran.out
    [only] = run("networks", "bluesky", "--json").document["networks"]
    assert only["options"][0] == {
        "name": "handle", "type": "text", "required": True, "default": None,
        "meaning": "The account's handle, such as `police.example`. `@` before it is ignored.",
    }  # fmt: skip


@pytest.mark.usefixtures("pigeon_network")
def test_a_network_of_another_package(run: Run) -> None:
    ran = run("networks")
    assert "pigeon · of the package lofts\n    One loft.\n    ✔ Its library is installed.\n" in ran.out
    [pigeon] = run("networks", "pigeon", "--json").document["networks"]
    assert (pigeon["ready"], pigeon["missing"], pigeon["problem"]) == (True, [], "")
    assert pigeon["capabilities"]["idempotency_window"] == "PT1H"
    assert [(one["name"], one["type"], one["default"], one["meaning"]) for one in pigeon["options"]] == [
        ("loft", "text", None, "Where they live."),
        ("key", "secret text", None, ""),
        ("grain", "one of corn, peas", "corn", "What they eat."),
        ("birds", "list of whole number", [1, 2], ""),
        ("fast", "true or false", False, ""),
        ("weight", "number", 30.0, "Grams."),
        ("more", "table", None, ""),
    ]


@pytest.mark.usefixtures("pigeon_network")
def test_a_network_whose_library_is_missing_reports_how_to_install_it(run: Run) -> None:
    ran = run("networks", "owl")
    assert ran.code == 1
    assert "# → pip install 'lofts[owl]'" in ran.out
    assert "    ✘ Not installed: no-such-library.\n" in run("networks").out
    [owl] = run("networks", "owl", "--json").document["networks"]
    # Its capabilities are unknown before it is configured.
    assert (owl["ready"], owl["missing"], owl["capabilities"]) == (False, ["no-such-library"], None)


@pytest.mark.usefixtures("pigeon_network")
def test_a_network_that_does_not_load_hides_no_other(run: Run) -> None:
    ran = run("networks")
    assert ran.code == 0
    assert "The network 'magpie' of the package 'lofts' cannot be loaded" in ran.words
    assert "bluesky · of the package policenotify" in ran.out
    assert run("networks", "magpie", "--json").code == 1


def test_the_options_as_json_schema_with_secrets_that_are_only_written(run: Run) -> None:
    [bluesky] = run("--json", "networks", "bluesky").document["networks"]
    assert bluesky["schema"]["required"] == ["handle", "password"]
    password = bluesky["schema"]["properties"]["password"]
    assert password.pop("description").startswith("An *app password*, never the account's main one")
    assert password == {
        "format": "password", "title": "Password", "type": "string", "writeOnly": True,
    }  # fmt: skip
    assert bluesky["schema"]["additionalProperties"] is False


@pytest.mark.usefixtures("pigeon_network")
@pytest.mark.parametrize("name", [*OPTIONS, "pigeon"])
def test_the_example_of_a_network_has_each_option_with_its_default(run: Run, name: str) -> None:
    ran = run("networks", name)
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 120
    [network] = run("networks", name, "--json").document["networks"]
    options = {option["name"]: option for option in network["options"]}
    [(channel, shown)] = tomllib.loads(ran.out)["channels"].items()
    required = {name for name, option in options.items() if option["required"]}
    assert (channel, set(shown) - {"network", "recipients"}) == (name, required)
    assert name == "pigeon" or "…" not in shown.values()  # it would be published as the service's name
    assert ("recipients" in shown) == bool(network["capabilities"] and network["capabilities"]["recipients"])
    all_shown = tomllib.loads(re.sub(r"^#(?=\w+ = )", "", ran.out, flags=re.MULTILINE))["channels"][name]
    assert set(all_shown) - {"network", "recipients"} == set(options)
    for option in options.values():
        value = all_shown[option["name"]]
        if "secret" in option["type"]:
            assert value == {"file": f"secrets/{name}-{option['name']}"}
        elif option["default"] is not None:
            assert value == option["default"]


OURS = Path(__file__).parents[3] / "pyproject.toml"


def test_written_files_are_listed_and_form_a_network(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = run("networks", "none", "--new", "--json").document
    package = tmp_path / "policenotify-none"
    assert sorted(document["written"]) == sorted(
        str(path.relative_to(tmp_path)) for path in package.rglob("*") if path.is_file()
    )
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))
    [(name, target)] = project["project"]["entry-points"]["policenotify.networks"].items()
    assert (name, target) == ("none", "policenotify_none:NoneChannel")
    assert project["project"]["dependencies"][0].startswith("policenotify>=0.")
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
            "timeout": (0, "channels.one.timeout: write a number greater than 0"),
        }.items():
            given = {"server": "https://none.example", "token": "t0ken"} | {wrong: said[0]}
            with pytest.raises(SettingsError) as raised:
                configure_channel("one", "none", given)
            assert str(raised.value).startswith(said[1])
        again = run("networks", "none", "--new")
        assert again.code == 1
        assert "'none' is a network of the installed package 'policenotify-none'" in again.err
    finally:
        networks.cache_clear()
        sys.modules.pop("policenotify_none", None)


@pytest.mark.parametrize("name", ["Émetteur", "my-radio", "../radio", "a" * 21])
def test_a_name_that_cannot_be_one_is_refused(run: Run, tmp_path: Path, name: str) -> None:
    ran = run("networks", name, "--new")
    assert (ran.code, "is not a network name: write 1 to 20 of" in ran.err) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_not_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policenotify-radio").mkdir()
    ran = run("networks", "radio", "--new")
    assert (ran.code, ran.out) == (1, "")
    assert "policenotify-radio cannot be written (File exists)." in ran.err
    assert list((tmp_path / "policenotify-radio").iterdir()) == []
