"""Our CAP alerts beside the schemas (xmllint)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings

from policenotify.errors import InvalidAlert
from policenotify.formats.cap.alert import NAMESPACE
from policenotify.formats.cap.export import alerts
from policenotify.formats.cap.reader import read_element
from policenotify.formats.cap.writer import write
from policenotify.formats.feed import Thread
from tests.support.alerts import ALERT_SITE, SCHEMAS, foreign_alerts, threads

pytestmark = pytest.mark.oracle


def problems(schema: Path, *files: Path) -> list[str]:
    """Return what xmllint finds wrong in files."""
    command = ["xmllint", "--noout", "--nonet", "--schema", str(schema), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - programs of Debian
    return [line for line in done.stderr.splitlines() if not line.endswith(" validates")]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda each: each.stem)
def test_foreign_alerts_are_valid_when_we_write_them_again(schema: Path, tmp_path: Path) -> None:
    files = []
    for number, (_, found) in enumerate(foreign_alerts()):
        try:
            content = write(read_element(found)) if not isinstance(found, Exception) else b""
        except InvalidAlert:
            continue
        if content:
            files.append(tmp_path / f"{number}.xml")
            files[-1].write_bytes(content)
    assert len(files) > 110
    assert problems(schema, *files) == []


def test_what_we_refuse_the_schema_refuses_too(tmp_path: Path) -> None:
    for _, found in foreign_alerts():
        if isinstance(found, Exception) or NAMESPACE not in found.tag:
            continue
        try:
            read_element(found)
        except InvalidAlert:
            file = tmp_path / "refused.xml"
            file.write_bytes(ET.tostring(found))
            assert problems(SCHEMAS[0], file)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(threads())
def test_our_alerts_are_valid(tmp_path: Path, thread: Thread) -> None:
    files = []
    for number, (_, alert) in enumerate(alerts(ALERT_SITE, thread)):
        files.append(tmp_path / f"own-{number}.xml")
        files[-1].write_bytes(write(alert))
    for schema in SCHEMAS if files else ():
        assert problems(schema, *files) == []
