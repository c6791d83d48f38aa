"""`--log` and `--log-level`: what a command writes to standard error while it works."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from policenotify.cli.log_output import set_up_log
from tests.support.shell import ACCIDENT, Run

pytestmark = pytest.mark.usefixtures("desk")


@pytest.fixture(autouse=True)
def _unchanged() -> Any:
    """The log is as before after each command."""
    before = (logging.root.handlers[:], logging.getLogger("policenotify").level)
    yield
    assert (logging.root.handlers, logging.getLogger("policenotify").level) == before


def test_each_publication_and_each_post_is_a_line_of_json(run: Run) -> None:
    ran = run("publish", *ACCIDENT, "--log", "json", "--log-level", "info", "--json")
    lines = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
    events = [(line["level"], line["event"], line.get("channel"), line.get("outcome")) for line in lines]
    assert events[0] == ("INFO", "published", None, None)
    posts = {
        receipt["channel"] for receipt in ran.document["publication"]["receipts"] if receipt["outcome"] == "posted"
    }
    assert posts
    assert {channel for _, event, channel, outcome in events if event == outcome == "posted"} == posts
    assert {line["publication"] for line in lines} == {ran.document["publication"]["id"]}
    assert "Accident" not in ran.err
    assert "2026-4711" not in ran.err


def test_by_default_only_warnings_and_errors_are_written(run: Run) -> None:
    assert run("--log", "text", "publish", *ACCIDENT).err == ""


def test_warnings_of_other_libraries_are_mentioned_without_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    undo = set_up_log("json", "info")
    try:
        logging.getLogger("urllib3.connectionpool").warning("https://hooks.example/T0KEN")
        logging.getLogger("urllib3.connectionpool").debug("https://hooks.example/T0KEN")
    finally:
        undo()
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["logger"] == "urllib3.connectionpool"
    assert "T0KEN" not in line
