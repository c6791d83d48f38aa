"""Lists of subscribers in files: one address a line, or a table as a spreadsheet writes it (CSV)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Final, TextIO

from policenotify.audiences.model import Row, WrongRow
from policenotify.audiences.reader import COLUMNS, NOT_UTF8, UNDECODED, RowReader, misspelt_column
from policenotify.errors import SettingsError
from policenotify.translation import AnyText, Text
from policenotify.validation import did_you_mean

_COMMENT: Final = re.compile(r"(?:^|\s)#")
_DELIMITERS: Final = ";,\t"
_UTF_16: Final = ("\udcff\udcfe", "\udcfe\udcff")  # the first two bytes of such a file
_MOST_LINES: Final = 20  # of one cell: more are a quotation mark that is not closed
_NOT_CLOSED: Final = Text("a quotation mark is not closed in its line. Write each person in one line.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFile:
    """A list in a file. A row's position is the number of its line.

    Attributes:
        at: Its place in the settings, for errors. By default `audiences.NAME`.
    """

    name: str
    path: Path
    at: str = ""
    reader: RowReader = field(default_factory=RowReader)

    def revision(self) -> str:
        """See `Audience.revision`."""
        try:
            state = self.path.stat()
        except (OSError, ValueError) as error:  # a name with a NUL is a `ValueError`
            raise self._unreadable(error) from None
        return f"{state.st_ino:x}-{state.st_size:x}-{state.st_mtime_ns:x}"

    @contextmanager
    def _opened(self) -> Iterator[TextIO]:
        """Open the file. What is not UTF-8 is read as surrogates.

        Raises:
            SettingsError: It cannot be read, or is UTF-16: then no row of it would be right.
        """
        try:
            file = self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from None
        with file:
            if file.read(2) in _UTF_16:
                raise self._wrong(NOT_UTF8)
            file.seek(0)
            yield file

    def _unreadable(self, error: OSError | ValueError) -> SettingsError:
        return self._wrong(Text("cannot be read ({strerror}).", strerror=getattr(error, "strerror", str(error))))

    def _wrong(self, what: AnyText) -> SettingsError:
        at = self.at or f"audiences.{self.name}"
        return SettingsError(Text("{at}: the file {path} {what}", at=at, path=self.path, what=what))


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile(ListFile):
    """A text file with one address a line, where `#` begins a comment."""

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """See `Audience.rows`."""
        with self._opened() as file:
            for position, line in islice(enumerate(file), start, None):
                if address := _COMMENT.split(line, maxsplit=1)[0].strip():
                    yield self.reader.address(address, position=position)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFile(ListFile):
    """A table of subscribers with a line of names above it, in UTF-8, separated by `,`, `;` or tabs.

    The columns are those of [`COLUMNS`][policenotify.audiences.reader.COLUMNS]. Others are ignored. Each line is a
    row: all lines of a cell with line ends in it are wrong rows, even one that looks like a person. A quotation mark
    that nothing closes takes no other person's line with it.

    Attributes:
        columns: The file's own names of some columns: `{"address": "Adresse électronique"}`.
    """

    columns: Mapping[str, str] = field(default_factory=dict)

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """See `Audience.rows`."""
        with self._opened() as file:
            broken = _broken_lines(file)
            file.seek(0)
            head = file.readline()
            delimiter = max(_DELIMITERS, key=head.count)
            if UNDECODED.search(head):
                raise self._wrong(NOT_UTF8)
            fields = self._fields([name.strip() for name in _cells(head, delimiter)])
            for position, line in islice(enumerate(file, 1), max(0, start - 1), None):
                if position in broken:
                    yield WrongRow(position=position, reason=_NOT_CLOSED)
                elif any(cells := _cells(line, delimiter)):
                    yield self._row(fields, cells, position)

    def _row(self, fields: Sequence[str], cells: Sequence[str], position: int) -> Row:
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
            SettingsError: A column is missing, misspelt or twice. Without its areas, everybody would get everything.
        """
        given = {name.casefold() for name in names}
        for theirs in (self.columns.get("address", "address"), *self.columns.values()):
            if theirs.casefold() not in given:
                hint = did_you_mean(theirs, names, known=Text("Its columns"))
                raise self._wrong(Text("has no column {theirs!r}. {hint}", theirs=theirs, hint=hint))
        ours = {self.columns.get(column, column).casefold(): column for column in COLUMNS}
        fields = [ours.get(name.casefold(), "") for name in names]
        for number, (name, column) in enumerate(zip(names, fields, strict=True)):
            if column and column in fields[:number]:
                raise self._wrong(Text("has the column {name!r} twice.", name=name))
        if misspelt := misspelt_column(tuple(ours.get(name.casefold(), name) for name in names)):
            raise self._wrong(misspelt)
        return fields


def _broken_lines(lines: Iterable[str]) -> set[int]:
    """Return the numbers, from 0, of lines with an open quotation mark, and of those up to the one that closes it."""
    opened = [number for number, line in enumerate(lines) if line.count('"') % 2]
    broken, closed = set(opened), -1
    for first, last in pairwise(opened):
        if closed < first and last - first <= _MOST_LINES:
            broken.update(range(first, last))
            closed = last
    return broken


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
