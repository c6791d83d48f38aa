"""A message from a JSON file, standard input, options, or two of them with no field given twice."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import PIL.Image
import pytest

from tests.support.installation import Desk, accident
from tests.support.shell import ACCIDENT, Run


def _file(fields: object, name: str = "message.json") -> str:
    Path(name).write_text(json.dumps(fields), encoding="utf-8")
    return name


def _typed_in(monkeypatch: pytest.MonkeyPatch, fields: object) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(fields).encode())))


UPDATE = {"headline": "Une voie rouverte", "description": "Circulation difficile.", "severity": "Minor"}


def test_a_follow_up_is_read_from_a_file_as_from_options(run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    run("publish", *ACCIDENT)
    by_file = run("update", "2026-4711", "--file", _file({**UPDATE, "schema_version": 1}), "--json")
    assert (by_file.code, by_file.document["repeated"]) == (0, False)
    message = by_file.document["publication"]["message"]
    assert (message["headline"], message["severity"]) == ("Une voie rouverte", "Minor")
    assert message["location"]["street"] == "avenue de Toulouse"
    by_option = ("Une voie rouverte", "--description", "Circulation difficile.", "--severity", "Minor", "--json")
    assert run("update", "2026-4711", *by_option).document["repeated"] is True
    _typed_in(monkeypatch, UPDATE)
    assert run("update", "2026-4711", "--file", "-", "--json").document["repeated"] is True
    _typed_in(monkeypatch, {"headline": "Fausse alerte", "description": "Rien."})
    assert run("cancel", "2026-4711", "--file", "-").code == 0
    assert len(desk.bluesky.posts) == 3


@pytest.mark.usefixtures("desk")
def test_a_file_and_options_make_one_message(run: Run) -> None:
    name = _file({"category": "fire", "headline": "Feu de végétation", "description": "Fumée visible."})
    said = ("preview", name, "--commune", "34172", "--instruction", "Fermez les fenêtres.", "--json")
    message = run(*said).document["message"]
    assert (message["headline"], message["location"]["commune"]) == ("Feu de végétation", "34172")
    assert message["lifecycle"] == {"stage": "standalone"}  # as `policenotify.read` has it
    opening = run(*said, "--incident", "7").document["message"]
    assert opening["lifecycle"] == {"stage": "opening", "incident": "7"}


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--headline", "Autre"), "headline"),
        (("--street", "rue Foch", "--road", "A9"), "location"),
        (("--incident", "8"), "lifecycle"),
    ],
)
def test_a_field_that_is_given_twice_is_an_error(run: Run, more: tuple[str, ...], told: str) -> None:
    whole = accident(
        severity="Severe", hashtags=["A9"], expires_at="2099-01-01T00:00:00Z", known={"confirmed": "Un blessé."}
    )
    name = _file(json.loads(whole.model_dump_json(exclude_none=True)))
    ran = run("publish", name, *more)
    assert (ran.code, ran.out) == (2, "")
    assert f"Given twice, in message.json and on the command line: {told}. Give it once." in ran.err
    assert ran.err.endswith("Nothing was published.\n")


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("publish", *ACCIDENT, "--headline", "x"), "--headline (headline) is given 2 times"),
        (("end", "7", "x", "--key", "a", "--key", "b", "--key", "c"), "--key is given 3 times"),
        (("publish", "a.json", "--file", "a.json"), "Give one file: as FILE, or as --file FILE."),
        (("update", "2026-4711"), "The update has no headline. Give its HEADLINE, or a --file that has one."),
    ],
)
def test_an_option_that_is_given_twice_is_an_error(run: Run, args: tuple[str, ...], told: str) -> None:
    _file({"headline": "x"}, "a.json")
    run("publish", *ACCIDENT)
    ran = run(*args)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (b"[" * 100_000, 1, "x.json does not hold a message: it is nested too deeply."),
        (b'{"headline": ', 1, "Invalid JSON: line 1, column 14"),
        (b'{"headline": "\xe9"}', 1, "is not UTF-8"),
        (b'{"headline": "x", "instructions": "y"}', 1, "Did you mean 'instruction'?"),
        (b'{"headline": "x", "schema_version": 2}', 1, "Install the release of policenotify"),
        (
            b'{"headline": "x", "lifecycle": {"incident": "8"}}',
            2,
            "x.json: leave out lifecycle: the command decides it.",
        ),
        (b'{"headline": "x", "link": "ftp://a"}', 1, "link (--link): a link begins with"),
        (b'{"headline": "x", "images": [{"alt": "", "data": "aaaa"}]}', 1, "images[0].alt (--alt): must not be empty"),
    ],
)
def test_a_wrong_file_is_reported_by_field(run: Run, text: bytes, code: int, told: str) -> None:
    run("publish", *ACCIDENT)
    Path("x.json").write_bytes(text)
    ran = run("update", "2026-4711", "--file", "x.json")
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err
    assert "othing was " in ran.err


def _with_picture(path: object) -> dict[str, object]:
    return {
        "headline": "Une voie rouverte",
        "description": "Circulation difficile.",
        "images": [{"alt": "Le plan de la déviation", "path": str(path)}],
    }


@pytest.mark.parametrize("command", [("publish",), ("preview",), ("update", "2026-4711", "--file")])
def test_a_file_from_another_system_publishes_no_file_of_this_machine(
    run: Run, desk: Desk, command: tuple[str, ...]
) -> None:
    run("publish", *ACCIDENT)
    before = len(desk.bluesky.posts)
    PIL.Image.new("RGB", (40, 30), "red").save("secret.png")
    for path in (Path("secret.png").absolute(), "secret.png", "/etc/shadow", "none.png"):
        ran = run(*command, _file({**_with_picture(path), "category": "fire"}))
        assert ran.code == 1
        assert "an image in JSON is given by its data or its digest" in " ".join(ran.err.split())
    assert len(desk.bluesky.posts) == before
