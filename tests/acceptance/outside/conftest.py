"""Our wheel, built once, and fresh environments with it and the wheels of third-party packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.acceptance.outside.environments import ROOT, Environment, run, uv_program


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel, built from our source archive: nothing that it needs is missing there."""
    folder = tmp_path_factory.mktemp("ours")
    run([uv_program(), "build", "--quiet", "--out-dir", os.fspath(folder)], at=ROOT)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The releases that everything here is proven with: nothing newer comes in by chance."""
    file = tmp_path_factory.mktemp("locked") / "constraints.txt"
    told = ("--quiet", "--locked", "--all-extras", "--no-emit-project", "--no-hashes", "--no-annotate")
    run([uv_program(), "export", *told, "--output-file", os.fspath(file)], at=ROOT)
    return file


@pytest.fixture(scope="session")
def environment(wheel: Path, locked: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Environment]:
    """Make an environment: `environment("cli", wheel_of_another_package, …)`. Who asks for the same shares it."""

    @cache
    def make(extras: str, *wheels: Path) -> Environment:
        folder = tmp_path_factory.mktemp("fresh") / "venv"
        run([uv_program(), "venv", "--quiet", "--python", sys.executable, os.fspath(folder)], at=folder.parent)
        ours = f"policenotify[{extras}] @ {wheel.as_uri()}"
        into = ("--quiet", "--python", os.fspath(folder), "--constraint", os.fspath(locked))
        install = [uv_program(), "pip", "install", *into, ours, *map(os.fspath, wheels)]
        run(install, at=folder.parent)
        return Environment(folder)

    return make


@pytest.fixture(scope="session")
def reader(wheel: Path, locked: Path) -> dict[str, str]:
    """Return the variables by which a reader's commands find our wheel and the locked releases."""
    return {"WHEEL": os.fspath(wheel), "UV_CONSTRAINT": os.fspath(locked)}
