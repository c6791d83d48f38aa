"""`preview --html`: the page of the posts to come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.installation import ADDRESSES, Desk
from tests.support.shell import ACCIDENT, Run


def test_a_preview_as_a_page(run: Run, desk: Desk) -> None:
    ran = run("preview", *ACCIDENT, "--html", "page.html")
    assert ran.code == 0
    assert ran.out.endswith(f"\nThe page: {desk.folder.resolve() / 'page.html'}\n")
    assert "bluesky · fr · " in ran.out
    text = Path("page.html").read_text(encoding="utf-8")
    assert "Nothing was sent: this is how it would read." in text
    assert "Évitez le secteur." in text
    assert "@police34.example" in text
    for secret in (*ADDRESSES, desk.bluesky.password, "127.0.0.1"):
        assert secret not in text
    assert not desk.bluesky.posts
    assert run("preview", *ACCIDENT, "--html", "page.html").code == 0  # its own page is written over


@pytest.mark.usefixtures("desk")
def test_a_message_that_may_not_leave_is_shown_with_its_reason(run: Run) -> None:
    assert run("preview", "--category", "fire", "--headline", "Feu", "--html", "page.html").code == 1
    text = Path("page.html").read_text(encoding="utf-8")
    assert "It may not be published as it is; see below. Nothing was sent." in text
    assert "PN101" in text


def test_json_stays_one_document(run: Run, desk: Desk) -> None:
    ran = run("preview", *ACCIDENT, "--json", "--html", "page.html")
    assert ran.document["allowed"] is True
    assert ran.err == f"\nThe page: {desk.folder.resolve() / 'page.html'}\n"


@pytest.mark.usefixtures("desk")
def test_an_impossible_page_is_reported_before_anything_runs(run: Run) -> None:
    Path("mine.html").write_text("<title>Mine</title>", encoding="utf-8")
    ran = run("preview", *ACCIDENT, "--html", "mine.html")
    assert ran.code == 2
    assert "Invalid value for --html: " in ran.err
    assert ran.out == ""
    assert Path("mine.html").read_text(encoding="utf-8") == "<title>Mine</title>"


def test_a_cancellation_that_deletes_is_previewed(run: Run, desk: Desk) -> None:
    settings = desk.folder / "policenotify.toml"
    deletes = settings.read_text(encoding="utf-8").replace("handle =", 'on_cancellation = "delete"\nhandle =')
    settings.write_text(deletes, encoding="utf-8")
    assert run("publish", *ACCIDENT).code == 0
    lifecycle = {"stage": "cancellation", "incident": "2026-4711"}
    message = {"category": "traffic_accident", "headline": "Fausse alerte", "lifecycle": lifecycle}
    Path("message.json").write_text(json.dumps(message), encoding="utf-8")
    ran = run("preview", "message.json", "--html", "page.html")
    assert "bluesky · fr · deletes an earlier post" in ran.out
    assert "Deletes an earlier post" in Path("page.html").read_text(encoding="utf-8")
    document = run("preview", "message.json", "--json").document
    assert [(one["channel"], one["language"]) for one in document["deletions"]] == [("bluesky", "fr")]
    assert len(desk.bluesky.posts) == 1
