"""What an installation depends on: pinned by hash, under fitting licences."""

from __future__ import annotations

import importlib.util
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("dependencies", _ROOT / ".ci" / "dependencies.py")
assert _SPEC is not None
assert _SPEC.loader is not None
dependencies: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(dependencies)
PACKAGES = dependencies.locked()


def test_every_locked_package_is_pinned_by_hash() -> None:
    assert len(PACKAGES) > 50
    assert list(dependencies.unpinned(PACKAGES)) == []


def test_a_package_from_elsewhere_or_without_a_hash_is_found() -> None:
    digest = {"hash": "sha256:" + "0" * 64}
    index, elsewhere = {"registry": dependencies.INDEX}, {"git": "https://git.example/a"}
    packages = [
        {"name": "a", "source": elsewhere, "wheels": [digest]},
        {"name": "b", "source": index, "wheels": [digest, {"url": "b.whl"}]},
        {"name": "c", "source": index},
        {"name": "d", "source": index, "sdist": digest},
    ]
    assert [line.partition(":")[0] for line in dependencies.unpinned(packages)] == ["a", "b", "c"]


def test_every_licence_is_on_the_list() -> None:
    names = dependencies.runtime(PACKAGES)
    assert {"cryptography", "pydantic", "psycopg-binary", "libipld"} <= names
    assert not {"ruff", "mkdocs-material", "sms-toolkit"} & names
    assert list(dependencies.unfit(names)) == []


@pytest.mark.parametrize(
    ("headers", "fits"),
    [
        ({"License-Expression": "Apache-2.0 OR BSD-3-Clause"}, True),
        ({"License-Expression": "MIT AND GPL-3.0-only"}, False),
        ({"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"}, False),
        ({}, False),
    ],
)
def test_a_licence_fits_if_one_choice_is_wholly_on_the_list(headers: dict[str, str], *, fits: bool) -> None:
    head = Message()
    for name, value in headers.items():
        head[name] = value
    assert dependencies.fits(dependencies.licence(head)) is fits
