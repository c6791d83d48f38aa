"""Installations whose networks are on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.five_networks import Five, open_five
from tests.support.installation import Desk, open_desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An installation with Bluesky and a mailing list."""
    with open_desk(tmp_path) as opened:
        yield opened


@pytest.fixture
def five(tmp_path: Path) -> Iterator[Five]:
    """An installation with five networks."""
    with open_five(tmp_path) as opened:
        yield opened
