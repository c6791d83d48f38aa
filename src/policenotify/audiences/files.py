"""Lists of subscribers in files: one address a line, or a table as a spreadsheet writes it (CSV)."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

from policenotify.audiences.model import Row, WrongRow
from policenotify.audiences.reader import COLUMNS, NOT_UTF8, UNDECODED, RowReader
from policenotify.errors import SettingsError
from policenotify.translation import Text
from policenotify.validation import did_you_mean

_COMMENT: Final = re.compile(r"(?:^|\s)#")
_SEPARATOR: Final = re.compile(r"sep=(.)")  # Excel's first line that names the delimiter
_DELIMITERS: Final = ";,\t"
_MOST_LINES: Final = 20  # lines of one row: more are a quotation mark that is not closed
_UTF_16: Final = ("\udcff\udcfe", "\udcfe\udcff")  # the first two bytes of such a file
_UNCLOSED: Final = "\0\n"  # stands for a line whose quotation mark is not closed


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A text file with one address a line, where `#` begins a comment. A row's position is the number of its line.

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
            for position, line in islice(enumerate(file), start, None):
                if address := _COMMENT.split(line, maxsplit=1)[0].strip():
                    yield self.reader.address(address, position=position)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFile:
    """A table of subscribers with a line of names above it, in UTF-8, separated by `,`, `;` or tabs.

    The columns are those of [`COLUMNS`][policenotify.audiences.reader.COLUMNS]. Others are ignored. A row's position is
    the number of its first line.

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
            line, above = file.readline(), 1
            delimiter = max(_DELIMITERS, key=line.count)
            if named := _SEPARATOR.fullmatch(line.strip("\r\n")):
                delimiter, line, above = named[1], file.readline(), 2
            names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
            if UNDECODED.search(line):
                raise self._wrong(NOT_UTF8)
            fields = self._fields(names)
            table = csv.reader(_closed(file), delimiter=delimiter, skipinitialspace=True)
            position = above
            for cells in table:
                if position >= start and any(cells):
                    yield self._row(fields, cells, position)
                position = above + table.line_num

    def _row(self, fields: Sequence[str], cells: Sequence[str], position: int) -> Row:
        if cells == [_UNCLOSED.strip()]:
            return WrongRow(position=position, reason=Text("a quotation mark is not closed."))
        if any(cells[len(fields) :]):
            reason = Text(
                "has {cells_count} cells, and the first line names {width} columns.",
                cells_count=len(cells),
                width=len(fields),
            )
            return WrongRow(position=position, reason=reason)
        return self.reader.mapping(dict(zip(fields, cells, strict=False)), position=position)

    def _fields(self, names: Sequence[str]) -> list[str]:
        """Return our names of the columns. Others have none.

        Raises:
            SettingsError: A column is missing or misspelt. Without its areas, everybody would get everything.
        """
        given = [name.casefold() for name in names]
        fields = [""] * len(names)
        missing = []
        for column in COLUMNS:
            theirs = self.columns.get(column, column)
            if theirs.casefold() in given:
                fields[given.index(theirs.casefold())] = column
            elif column in self.columns or column == "address":
                hint = did_you_mean(theirs, names, known=Text("Its columns"))
                raise self._wrong(Text("has no column {theirs!r}. {hint}", theirs=theirs, hint=hint))
            else:
                missing.append(column)
        for name, column in zip(names, fields, strict=True):
            if not column and (meant := get_close_matches(name.casefold(), missing, n=1, cutoff=0.8)):
                raise self._wrong(
                    Text(
                        "has a column {name!r}. Call it {meant!r} if it is that, or something else if it is not.",
                        name=name,
                        meant=meant[0],
                    )
                )
        return fields

    def _wrong(self, what: Text) -> SettingsError:
        at = f"audiences.{self.name}"
        return SettingsError(Text("{at}: the file {path} {what}", at=at, path=self.path, what=what))


def _closed(lines: Iterator[str]) -> Iterator[str]:
    """Yield the lines of a table.

    A cell in quotation marks may hold line ends (RFC 4180, section 2). But a mark that is not closed must not take
    other people's lines with it: then only its own line is wrong.
    """
    ahead: deque[str] = deque()
    while line := ahead.popleft() if ahead else next(lines, ""):
        if line.count('"') % 2:
            ahead.extend(islice(lines, _MOST_LINES - len(ahead)))
            rest = next((number for number, more in enumerate(ahead, 1) if more.count('"') % 2), 0)
            yield line if rest else _UNCLOSED
            for _ in range(rest):
                yield ahead.popleft()
        else:
            yield line


@contextmanager
def _opened(at: str, path: Path) -> Iterator[TextIO]:
    """Open a file of an audience. What is not UTF-8 is read as surrogates.

    Raises:
        SettingsError: It cannot be read, or is UTF-16.
    """
    try:
        file = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except (OSError, ValueError) as error:
        raise _unreadable(at, path, error) from None
    with file:
        if file.read(2) in _UTF_16:
            raise SettingsError(Text("{at}: the file {path} {what}", at=at, path=path, what=NOT_UTF8))
        file.seek(0)
        yield file


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
