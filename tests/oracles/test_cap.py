"""Our CAP alerts beside the schemas (xmllint)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from policenotify.errors import InvalidAlert
from policenotify.formats.cap.export import alert_files
from policenotify.formats.cap.fields import imported
from policenotify.formats.feed import Feed, Thread
from policenotify.model.lifecycle import Stage
from tests.support.alerts import ALERT_SITE, SCHEMAS, foreign_alerts, stages, threads
from tests.support.feed_items import NOW
from tests.support.installation import accident

pytestmark = pytest.mark.oracle


def problems(schema: Path, *files: Path) -> list[str]:
    """Return what xmllint finds wrong in files."""
    command = ["xmllint", "--noout", "--nonet", "--schema", str(schema), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - programs of Debian
    return [line for line in done.stderr.splitlines() if not line.endswith(" validates")]


def test_what_we_refuse_as_written_wrongly_the_schema_refuses_too(tmp_path: Path) -> None:
    refused = 0
    for _, content in foreign_alerts():
        try:
            imported(content, codes={}, language="fr", category="fire")
        except InvalidAlert as error:
            if "for the public" in str(error.reason):
                continue
            file = tmp_path / "refused.xml"
            file.write_bytes(content)
            assert problems(SCHEMAS[0], file)
            refused += 1
    assert refused > 10


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(threads())
def test_our_alerts_are_valid(tmp_path: Path, thread: Thread) -> None:
    files = []
    for number, content in enumerate(alert_files(Feed(ALERT_SITE, thread.items, now=NOW), thread).values()):
        files.append(tmp_path / f"own-{number}.xml")
        files[-1].write_bytes(content)
    for schema in SCHEMAS if files else ():
        assert problems(schema, *files) == []


def test_a_withdrawn_alert_is_valid(tmp_path: Path) -> None:
    [item] = stages(accident(), Stage.OPENING).items
    thread = Thread(item.thread, (item.withdrawn(NOW),))
    [content] = alert_files(Feed(ALERT_SITE, thread.items, now=NOW), thread).values()
    assert b"<info>" not in content
    file = tmp_path / "withdrawn.xml"
    file.write_bytes(content)
    for schema in SCHEMAS:
        assert problems(schema, file) == []
