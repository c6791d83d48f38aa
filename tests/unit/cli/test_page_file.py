"""The report page's file."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from policenotify.cli.report.builder import Report
from policenotify.cli.report.file import GENERATOR, PageFile
from tests.acceptance.browser.pages import previewed


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return previewed(tmp_path_factory.mktemp("preview"))


def refused(file: Path) -> str:
    with pytest.raises(click.BadParameter) as why, PageFile(str(file)):
        pass
    return why.value.format_message()


def test_a_page_is_there_whole_and_alone(page: Report, tmp_path: Path) -> None:
    with PageFile(str(tmp_path / "page.html")) as file:
        assert not (tmp_path / "page.html").exists()
        file.write(page)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert GENERATOR in text[:2048]
    assert text.rstrip().endswith("</html>")
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o600  # a preview shows drafts
    assert str(file) == f"The page: {tmp_path / 'page.html'}"


def test_an_earlier_page_is_written_over_and_nothing_else_is(page: Report, tmp_path: Path) -> None:
    for _ in range(2):
        with PageFile(str(tmp_path / "page.html")) as file:
            file.write(page)
    (tmp_path / "notes.html").write_text("<!DOCTYPE html>\n<title>Notes</title>", encoding="utf-8")
    assert "is not a page of policenotify. Give another name." in refused(tmp_path / "notes.html")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\xff\xfe")
    assert "is not a page of policenotify" in refused(tmp_path / "photo.png")
    assert "is not a page of policenotify" in refused(Path("/dev/null"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["notes.html", "page.html", "photo.png"]


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    assert f"{tmp_path} is a folder; add a name" in refused(tmp_path)
    told = refused(tmp_path / "nowhere" / "page.html")
    assert "cannot be written (No such file or directory). Nothing was done." in told
    (tmp_path / "file").touch()
    assert "cannot be written (Not a directory)" in refused(tmp_path / "file" / "page.html")
