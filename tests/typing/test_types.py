"""The examples of networks and applications under pyright, and the completeness of public types.

Mypy reads them with our code.
Pyright is that of `package.json` here: `npm install --no-package-lock --ignore-scripts --prefix tests/typing`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

pytestmark = pytest.mark.authors

_HERE: Final = Path(__file__).parent
_UNTYPED: Final = ("policenotify.cli.", "policenotify.integrations.django.")
"""Not for callers; and Django ships no types."""


def _asked(*command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # pyright asks `python` for its path
    return subprocess.run(  # noqa: S603 - our own command
        command, check=False, cwd=_HERE, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )


def _pyright(*arguments: str) -> dict[str, Any]:
    node = shutil.which("node")
    assert node, "node is not installed (Debian's package npm brings it)"
    done = _asked(node, "node_modules/pyright/index.js", "--outputjson", *arguments)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_pyright_finds_what_is_wrong_and_nothing_else() -> None:
    found = _pyright("--project", ".")
    assert found["summary"]["filesAnalyzed"] == 5
    assert [
        f"{one['file']}:{one['range']['start']['line'] + 1}: {one['message']}" for one in found["generalDiagnostics"]
    ] == []


def test_every_public_type_is_complete() -> None:
    """By pyright's measure (`--verifytypes`): no parameter, result or attribute whose type must be guessed."""
    found = _pyright("--verifytypes", "policenotify", "--ignoreexternal")["typeCompleteness"]
    symbols = [symbol for symbol in found["symbols"] if symbol["isExported"]]
    assert len(symbols) > 3_000
    guessed = [one["name"] for one in symbols if not one["isTypeKnown"] or one["isTypeAmbiguous"]]
    assert [name for name in guessed if not name.startswith(_UNTYPED)] == []
