"""`networks`: available networks, their capabilities and options."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.support.networks_page import OPTIONS
from tests.support.shell import Run


def test_every_network_with_what_it_can_do(run: Run) -> None:
    ran = run("networks")
    assert (ran.code, ran.err) == (0, "")
    assert "bluesky · of the package policenotify" in ran.out
    assert "300 characters as it counts them, 3000 bytes; threads; up to 4 pictures;" in ran.words
    assert "policenotify networks NAME" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    known = {one["name"]: one for one in run("networks", "--json").document["networks"]}
    assert known["bluesky"]["ready"] is True
    assert known["bluesky"]["capabilities"]["replies"] is True
    assert known["email"]["capabilities"]["recipients"] is True


def test_one_network_with_its_options(run: Run) -> None:
    ran = run("networks", "bluesky")
    assert ran.code == 0
    assert "  handle · text · required\n    The account's handle, such as `police.example`." in ran.out
    assert "  password · secret text · required" in ran.out
    assert "  service · text · default https://bsky.social" in ran.out
    assert "clock" not in ran.out
    [only] = run("networks", "bluesky", "--json").document["networks"]
    assert only["options"][0] == {
        "name": "handle", "type": "text", "required": True, "default": None,
        "meaning": "The account's handle, such as `police.example`. `@` before it is ignored.",
    }  # fmt: skip


@pytest.mark.usefixtures("pigeon_network")
def test_a_network_of_another_package(run: Run) -> None:
    ran = run("networks", "pigeon")
    assert ran.code == 0
    assert "pigeon · of the package lofts\n    One loft.\n    ✔ Its library is installed.\n" in ran.out
    assert "accepted by the gateway, not verified." in ran.words
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
    assert "    ✘ Not installed: no-such-library.\n" in ran.out
    assert "→ pip install 'lofts[owl]'" in ran.out
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
    ran = run("networks", name, "--example")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 120
    [network] = run("networks", name, "--json").document["networks"]
    options = {option["name"]: option for option in network["options"]}
    [(channel, shown)] = tomllib.loads(ran.out)["channels"].items()
    required = {name for name, option in options.items() if option["required"]}
    assert (channel, set(shown) - {"network", "recipients"}) == (name, required)
    if name in OPTIONS:  # ours: it would be published as the service's name
        assert "…" not in shown.values()
    assert ("recipients" in shown) == bool(network["capabilities"] and network["capabilities"]["recipients"])
    all_shown = tomllib.loads(re.sub(r"^#(?=\w+ = )", "", ran.out, flags=re.MULTILINE))["channels"][name]
    assert set(all_shown) - {"network", "recipients"} == set(options)
    for option in options.values():
        value = all_shown[option["name"]]
        if "secret" in option["type"]:
            assert value == {"file": f"secrets/{name}-{option['name']}"}
        elif option["default"] is not None:
            assert value == option["default"]
    assert run("networks", "--example", name, "--json").document == {"example": ran.out}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_example_of_a_network_is_in_the_language_of_the_desk(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    comments = []
    for language in ("en", "fr"):
        monkeypatch.setenv("POLICENOTIFY_LANGUAGE", language)
        comments.append(set(re.findall(r"(?:^# .*\n)+", run("networks", name, "--example").out, re.MULTILINE)))
    assert len(comments[0]) == len(comments[1]) > 0
    assert comments[0].isdisjoint(comments[1])
