"""Debian's SpamAssassin with its own rules and without network look-ups."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from typing import Final, Self

from tests.acceptance.peers.programs import program

_APT: Final = "apt-get install --no-install-recommends spamassassin"
_TAKES: Final = 60.0  # seconds: Perl compiles some thousand rules for each mail


class SpamAssassin:
    """The filter: a mail that reaches 5.0 points is spam."""

    def __init__(self) -> None:
        self._program = program("spamassassin", _APT)
        self._home = tempfile.mkdtemp(prefix="spamassassin-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._home, ignore_errors=True)

    def points(self, mail: bytes) -> dict[str, float]:
        """Return the rules that a mail meets with their points, without those of zero points."""
        command = [self._program, "--local", "--test-mode", "--nocreate-prefs"]
        done = subprocess.run(  # noqa: S603 - named by us
            command, input=mail, capture_output=True, check=True, timeout=_TAKES, env={"HOME": self._home}
        )
        details = done.stdout.decode("utf-8", "replace").rpartition("Content analysis details:")[2]
        found = re.findall(r"^ *(-?\d+\.\d) ([A-Z][A-Z0-9_]+)", details, re.MULTILINE)
        return {rule: float(points) for points, rule in found if float(points)}
