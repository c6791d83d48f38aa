"""Fresh virtual environments, as of a user who installs our wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


def uv_program() -> str:
    """The path of uv, which it exports to its children. `.ci/run` has its own."""
    own = ROOT / ".uv" / "bin" / "uv"
    found = os.environ.get("UV") or (os.fspath(own) if own.exists() else shutil.which("uv"))
    assert found, "there is no uv: pip install uv"
    return found


def run(command: list[str], *, at: Path, **variables: str) -> str:
    """Run a command in a folder and return its output. An error is shown completely.

    It sees neither the environment that runs the tests nor our sources.
    """
    ours = ("VIRTUAL_ENV", "PYTHON", "PYTEST", "COVERAGE", "POLICENOTIFY", "HYPOTHESIS", "UV_PROJECT", "UV_NO_SYNC")
    seen = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(  # noqa: S603 - a test's own command
        command, cwd=at, env=seen | variables, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    def run(self, program: str, *args: str, at: Path, **variables: str) -> str:
        """Run one of its programs in a folder, its own programs first on the path. It must succeed."""
        return run([os.fspath(self.folder / "bin" / program), *args], at=at, PATH=self._path, **variables)

    def shell(self, script: str, *, at: Path, **variables: str) -> str:
        """Run a script of bash in a folder, with its programs and uv on the path. It must succeed."""
        return run(["bash", "-c", script], at=at, PATH=self._path, **variables)

    @property
    def _path(self) -> str:
        return os.pathsep.join(
            [os.fspath(self.folder / "bin"), os.fspath(Path(uv_program()).parent), os.environ["PATH"]]
        )
