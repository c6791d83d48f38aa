"""The time of an import, beside that of a library which it needs: `pytest -m benchmark -s`."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.support.figures import report

pytestmark = pytest.mark.benchmark

_PEER = "import pydantic\nclass Peer(pydantic.BaseModel):\n    name: str"
_FOUR = "from policenotify import Lifecycle, Location, Message, open_publisher"
_ALL = "import policenotify\nfor name in policenotify.__all__: getattr(policenotify, name)"


def _imports(*codes: str) -> list[float]:
    """The shortest run of each, all taking turns: what else the machine does only adds to them."""
    took: list[list[float]] = [[] for _ in codes]
    for _ in range(7):
        for each, code in zip(took, codes, strict=True):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code
            each.append(time.perf_counter() - start)
    return [min(each) for each in took]


def test_importing_stays_near_pydantic() -> None:
    bare, peer, package, four, names = _imports("pass", _PEER, "import policenotify", _FOUR, _ALL)
    for what, took in (("import policenotify", package), ("the import of four names", four), ("all names", names)):
        ratio = (took - bare) / (peer - bare)
        report(what, ratio, f"{1000 * (took - bare):.0f} ms", f"{1000 * (peer - bare):.0f} ms, one pydantic model")
    assert package - bare < 0.5 * (peer - bare)  # wide: other programs may have a core meanwhile
    assert four - bare < 3 * (peer - bare)
    assert names - bare < 4.5 * (peer - bare)
