"""Log records as text and as JSON."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from policenotify.log import LOG_FIELDS, JsonFormatter, TextFormatter, fields, shown_code


def _record(name: str = "policenotify", **more: Any) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.WARNING, __file__, 1, "Channel %s: held", ("sky",), None)
    record.created = 1_772_438_400.25
    record.__dict__.update(more)
    return record


def test_a_record_is_one_json_object_with_the_fields_that_apply() -> None:
    about: dict[str, Any] = fields("held", channel="sky", delivery=7, publication="01K", outcome="held")
    assert json.loads(JsonFormatter().format(_record(**about))) == {
        "at": "2026-03-02T08:00:00.250+00:00",
        "level": "WARNING",
        "logger": "policenotify",
        **about,
        "message": "Channel sky: held",
    }
    assert tuple(about) == LOG_FIELDS
    assert json.loads(JsonFormatter().format(_record(**dict[str, Any](fields("blocked", channel="sky"))))).keys() == {
        "at",
        "level",
        "logger",
        "event",
        "channel",
        "message",
    }


def test_a_record_is_a_line_of_text() -> None:
    assert TextFormatter().format(_record()) == "2026-03-02T08:00:00.250+00:00 WARNING Channel sky: held"


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_messages_and_fields_of_other_libraries_are_withheld(formatter: logging.Formatter) -> None:
    line = formatter.format(_record("urllib3.connectionpool", event="claire@police.example"))
    assert "sky" not in line
    assert "claire" not in line
    assert "withheld" in line


def test_of_an_exception_only_the_type_is_named() -> None:
    record = _record(exc_info=(ValueError, ValueError("claire@police.example"), None))
    line = JsonFormatter().format(record)
    assert json.loads(line)["error"] == "ValueError"
    assert "claire" not in line


@pytest.mark.parametrize("code", ["401", "InvalidToken", "x:y"])
def test_codes_of_networks_are_shown(code: str) -> None:
    assert shown_code(code) == code


@pytest.mark.parametrize("code", ["claire@police.example", "+33612345678", "Accident rue", "x" * 33])
def test_what_may_be_an_address_or_a_token_is_not(code: str) -> None:
    assert shown_code(code) == ""
