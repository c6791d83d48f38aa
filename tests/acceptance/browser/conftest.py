"""Chromium and the W3C's validator, asked once for the pages of a module."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
View = dict[str, Any]
Measure = Callable[..., list[View]]


def browse(script: str, **asked: object) -> Any:
    """Run a script of this folder in Chromium, and return what it found."""
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if chromium is None or node is None or not (HERE / "node_modules" / "axe-core").is_dir():
        pytest.skip("needs a browser and its packages: .ci/run browser")
    done = subprocess.run(  # noqa: S603 - our own script
        [node, str(HERE / script)],
        input=json.dumps({"chromium": chromium, **asked}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def measured(pages: Mapping[str, str], walk: Collection[str] = ()) -> list[View]:
    """Return the browser's findings on pages, each narrow in daylight and wide in the dark.

    Args:
        pages: The address of each page by its name.
        walk: The names of those that are also walked through by keyboard, printed, and seen with forced colours.
    """
    found: list[View] = browse("measure.mjs", pages=pages, walk=list(walk))
    assert len(found) == 2 * len(pages)
    return found


def by_view(found: list[View], key: str) -> dict[tuple[str, int], Any]:
    """Return what is there under a key, where there is anything."""
    return {(view["page"], view["width"]): view[key] for view in found if view[key]}


def html_errors(folder: Path) -> list[dict[str, Any]]:
    """Return what the W3C's validator finds wrong in the pages of a folder and their style sheets."""
    validator = HERE / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
    java = shutil.which("java")
    if java is None or not validator.is_file():
        pytest.skip("needs java and a package: .ci/run browser")
    done = subprocess.run(  # noqa: S603 - the validator
        [java, "-jar", str(validator), "--format", "json", "--also-check-css", "--skip-non-html", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return [each for each in json.loads(done.stderr)["messages"] if each["type"] != "info"]
