"""Lists of subscribers in files: one address a line, or a table as a spreadsheet writes it (CSV)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Final

from policenotify.audiences.model import Row, WrongRow
from policenotify.audiences.reader import COLUMNS, RowReader
from policenotify.errors import SettingsError
from policenotify.translation import AnyText, Text
from policenotify.validation import did_you_mean

_BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_COMMENT: Final = re.compile(r"(?:^|\s)#")
_SEPARATOR: Final = re.compile(r"sep=(.)")  # Excel's first line that names the delimiter
_DELIMITERS: Final = ";,\t"
_BLOCK: Final = 1 << 16  # bytes read at once to count lines
_MOST_LINES: Final = 20  # lines of one row: more are a quotation mark that is not closed
_NOT_UTF8: Final = Text("is not UTF-8. Save the file as UTF-8 (in Excel: CSV UTF-8).")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A text file with one address a line, where `#` begins a comment.

    A row's position is the place of its line in the file, in bytes, so that reading goes on anywhere at once.

    Attributes:
        name: The installation's name for it.
        path: The file.
        at: Its place in the settings, for errors. By default `audiences.NAME`.
        reader: Reads the rows.
    """

    name: str
    path: Path
    at: str = ""
    reader: RowReader = field(default_factory=RowReader)

    def revision(self) -> str:
        """See `Audience.revision`."""
        return _revision(self.at or f"audiences.{self.name}", self.path)

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """See `Audience.rows`."""
        with _opened(self.at or f"audiences.{self.name}", self.path) as file:
            for position, line, content in _lines(file, start):
                try:
                    text = content.decode("utf-8-sig" if position == 0 else "utf-8")
                except UnicodeDecodeError:
                    yield WrongRow(position=position, line=line, reason=_NOT_UTF8)
                    continue
                if address := _COMMENT.split(text, maxsplit=1)[0].strip():
                    yield self.reader.address(address, position=position, line=line)

    def most_rows(self) -> int:
        """See `SupportsRowCount.most_rows`. It counts lines."""
        return _count_lines(self.at or f"audiences.{self.name}", self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFile:
    """A table of subscribers with a line of names above it, in UTF-8, separated by `,`, `;` or tabs.

    The columns are those of [`COLUMNS`][policenotify.audiences.reader.COLUMNS]. Others are ignored. A row's position is
    its place in the file, in bytes.

    Attributes:
        name: The installation's name for it.
        path: The file.
        columns: The file's own names of some columns: `{"address": "Adresse électronique"}`.
        reader: Reads the rows.
    """

    name: str
    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    reader: RowReader = field(default_factory=RowReader)

    def revision(self) -> str:
        """See `Audience.revision`."""
        return _revision(f"audiences.{self.name}", self.path)

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """See `Audience.rows`."""
        with _opened(f"audiences.{self.name}", self.path) as file:
            header = self._header(file)
            # Of a row with several lines only the first is a place to begin: a cursor stands one byte behind it.
            for position, line, cells in _records(file, header, start - 1 if start > header.end else header.end):
                if position < start:
                    continue
                if isinstance(cells, (str, Text)):
                    yield WrongRow(position=position, line=line, reason=cells)
                elif any(cells):
                    yield self._row(header, cells, position, line)

    def most_rows(self) -> int:
        """See `SupportsRowCount.most_rows`. It counts lines."""
        return _count_lines(f"audiences.{self.name}", self.path)

    def _row(self, header: _Header, cells: Sequence[str], position: int, line: int) -> Row:
        if any(cells[header.width :]):
            reason = Text(
                "has {cells_count} cells, and the first line names {width} columns.",
                cells_count=len(cells),
                width=header.width,
            )
            return WrongRow(position=position, line=line, reason=reason)
        values = {name: cells[at] for name, at in header.places.items() if at < len(cells)}
        return self.reader.mapping(values, position=position, line=line)

    def _header(self, file: IO[bytes]) -> _Header:
        """Read the line of names, and leave the file behind it."""
        delimiter = ""
        try:
            text = file.readline().decode("utf-8-sig").strip("\r\n")
            if named := _SEPARATOR.fullmatch(text):
                delimiter, text = named[1], file.readline().decode().strip("\r\n")
        except UnicodeDecodeError:
            raise SettingsError(
                Text("audiences.{name}: the file {path} {not_utf8}", name=self.name, path=self.path, not_utf8=_NOT_UTF8)
            ) from None
        delimiter = delimiter or max(_DELIMITERS, key=text.count)
        try:
            names = [
                name.strip()
                for name in next(csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True), [])
            ]
        except csv.Error:
            names = []
        found = {name.casefold(): at for at, name in enumerate(names)}
        places = {}
        for column in COLUMNS:
            theirs = self.columns.get(column, column)
            if theirs.casefold() in found:
                places[column] = found[theirs.casefold()]
            elif column in self.columns or column == "address":
                hint = did_you_mean(theirs, names, known=Text("Its columns"))
                raise SettingsError(
                    Text(
                        "audiences.{name}: the file {path} has no column {theirs!r}. {hint}",
                        name=self.name,
                        path=self.path,
                        theirs=theirs,
                        hint=hint,
                    )
                )
        self._refuse_similar(names, places)
        return _Header(delimiter=delimiter, places=places, width=len(names), end=file.tell())

    def _refuse_similar(self, names: Sequence[str], places: Mapping[str, int]) -> None:
        """Refuse a misspelt column: without its areas, everybody would get everything."""
        missing = [column for column in COLUMNS if column not in places]
        for at, name in enumerate(names):
            if at not in places.values() and (meant := get_close_matches(name.casefold(), missing, n=1, cutoff=0.8)):
                raise SettingsError(
                    Text(
                        "audiences.{name}: the file {path} has a column {name_2!r}. Call it {meant!r} if it "
                        "is that, or something else if it is not.",
                        name=self.name,
                        path=self.path,
                        name_2=name,
                        meant=meant[0],
                    )
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """The line of names: the place of each known column, the number of all, and where the rows begin."""

    delimiter: str
    places: Mapping[str, int]
    width: int
    end: int


def _opened(at: str, path: Path) -> IO[bytes]:
    """Open a file of an audience.

    Raises:
        SettingsError: It cannot be read, or is not UTF-8.
    """
    try:
        file = path.open("rb")
        first = file.read(2)  # of a folder: an error
    except (OSError, ValueError) as error:
        raise _unreadable(at, path, error) from None
    if first in _UTF_16:
        file.close()
        raise SettingsError(Text("{at}: the file {path} {not_utf8}", at=at, path=path, not_utf8=_NOT_UTF8))
    file.seek(0)
    return file


def _count_lines(at: str, path: Path) -> int:
    """Return the number of line ends, and one for a last line without."""
    with _opened(at, path) as file:
        return 1 + sum(block.count(b"\n") for block in iter(partial(file.read, _BLOCK), b""))


def _revision(at: str, path: Path) -> str:
    try:
        state = path.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(at, path, error) from None
    return f"{state.st_ino:x}-{state.st_size:x}-{state.st_mtime_ns:x}"


def _unreadable(at: str, path: Path, error: OSError | ValueError) -> SettingsError:
    if isinstance(error, OSError):
        return SettingsError(
            Text("{at}: the file {path} cannot be read ({strerror}).", at=at, path=path, strerror=error.strerror)
        )
    return SettingsError(Text("{at}: {path!r} is not a file name.", at=at, path=str(path)))  # a NUL in it


def _lines(file: IO[bytes], start: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield place, number and content of each line that begins at *start* or later."""
    position, number = 0, 0
    if start:
        left = start - 1
        while left and (block := file.read(min(left, _BLOCK))):
            number += block.count(b"\n")
            left -= len(block)
        rest = file.readline()
        number += rest.endswith(b"\n")
        position = start - 1 + len(rest)
    for content in file:
        number += 1
        yield position, number, content
        position += len(content)


def _records(file: IO[bytes], header: _Header, start: int) -> Iterator[tuple[int, int, Sequence[str] | AnyText]]:
    """Yield place, first line and cells of each row that begins at *start* or later, or what is wrong with it.

    A cell in quotation marks may hold line ends (RFC 4180, section 2). But a mark that is not closed must not take
    other people's lines with it: then only its own line is wrong.
    """
    file.seek(0)
    lines = _lines(file, start)
    ahead: list[tuple[int, int, bytes]] = []
    while True:
        record = ahead.pop(0) if ahead else next(lines, None)
        if record is None:
            return
        position, number, content = record
        cells = _cells(content, header.delimiter)
        if cells is None:
            ahead += islice(lines, _MOST_LINES - len(ahead))
            for taken, (_, _, more) in enumerate(ahead, start=1):
                content += more
                joined = _cells(content, header.delimiter)
                if (
                    joined is not None
                    and not isinstance(joined, (str, Text))
                    and "\n" not in joined[header.places["address"]]
                ):
                    cells, ahead = joined, ahead[taken:]
                    break
        yield position, number, Text("a quotation mark is not closed.") if cells is None else cells


def _cells(content: bytes, delimiter: str) -> Sequence[str] | AnyText | None:
    """Return the cells of a row, what is wrong with it, or `None` if a quotation mark is not closed."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return _NOT_UTF8
    if '"' not in text:
        return [cell.strip() for cell in text.split(delimiter)]
    try:
        rows = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        return None if "unexpected end" in str(error) else Text("a quotation mark stands within a cell.")
    return [cell.strip() for cell in rows[0]]
