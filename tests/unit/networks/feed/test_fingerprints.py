"""What decides whether a thread is drawn again."""

from __future__ import annotations

import os
import subprocess
import sys

_CODE = """
from dataclasses import replace
from policenotify.networks.feed.folder import Folder
from tests.support.feed_items import SITE
print(Folder(None, SITE, account="feed", clock=None)._print([]))
print(Folder(None, replace(SITE, formats=SITE.formats - {"rss"}), account="feed", clock=None)._print([]))
"""


def test_all_processes_agree_on_what_is_drawn() -> None:
    """Each process has its own order of a set (PYTHONHASHSEED)."""
    printed = {
        subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", _CODE],
            check=True, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip

    [lines] = printed
    assert len(set(lines.split())) == 2
