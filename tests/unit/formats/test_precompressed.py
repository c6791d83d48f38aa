"""Files for web servers that send them compressed."""

from __future__ import annotations

import gzip

from policenotify.formats.drawing import draw
from policenotify.formats.feed import FILES
from tests.support.feed_items import make_feed, sample_items


def test_each_polled_file_is_followed_by_its_compressed_form() -> None:
    feed = make_feed(*sample_items("accident/opening", "accident/end"))
    files = draw(feed)
    paths = list(files)

    for path in {*FILES.values(), "style.css"} & set(files):
        assert paths[paths.index(path) + 1] == f"{path}.gz"
        assert gzip.decompress(files[f"{path}.gz"]) == files[path]
    assert not any(path.endswith(".gz") for path in paths if "/" in path)
    assert draw(feed) == files
    assert draw(feed, compressed=False) == {path: files[path] for path in paths if not path.endswith(".gz")}
