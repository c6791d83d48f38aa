"""The fixtures that pytest finds by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from policenotify.testing import DevNetworks, Recording
from tests.support.installation import accident

ALONE: Final = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}

_LOADED = """
import sys
import pytest
before = set(sys.modules)
import policenotify.testing.pytest_plugin
print(sorted(set(sys.modules) - before))
"""
_TEST = """
import pytest

def test_there_are_no_fixtures(request):
    with pytest.raises(pytest.FixtureLookupError):
        request.getfixturevalue("policenotify_recording")
"""


def test_an_application_is_tested_without_a_network(policenotify_recording: Recording) -> None:
    policenotify_recording.publisher.publish(accident(), key="a", actor="dispatch")
    assert len(policenotify_recording.posts) == 5


def test_an_application_is_tested_on_fake_servers(policenotify_dev: DevNetworks) -> None:
    assert policenotify_dev.settings.is_file()
    assert [network.channel for network in policenotify_dev] == [
        "x", "mastodon", "bluesky", "sms", "mail", "webhook",
    ]  # fmt: skip


def test_a_test_run_without_the_fixtures_loads_three_small_modules() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert done.stdout == "['policenotify', 'policenotify.testing', 'policenotify.testing.pytest_plugin']\n"


def test_they_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / "test_off.py").write_text(_TEST, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:policenotify", "-p", "no:cacheprovider", "test_off.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=ALONE)  # noqa: S603 - our own code
    assert done.returncode == 0, done.stdout
