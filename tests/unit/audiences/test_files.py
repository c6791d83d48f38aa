import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.audiences.files import CsvFile, TextFile
from policenotify.audiences.model import Audience, Row, Subscriber
from policenotify.errors import SettingsError


def addresses(rows: list[Row]) -> list[str]:
    return [row.address if isinstance(row, Subscriber) else f"{row.line}: {row.reason!s}" for row in rows]


def text(path: Path, content: bytes) -> TextFile:
    path.write_bytes(content)
    return TextFile(name="press", path=path)


def table(path: Path, content: str | bytes, **columns: str) -> CsvFile:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvFile(name="residents", path=path, columns=columns)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list"


def test_a_text_file(file: Path) -> None:
    audience = text(
        file,
        b"\xef\xbb\xbf# The press\r\na@example.org\r\n\r\n  b@example.org   # Bernard\r\nc#d@example.org\r\n"
        b"Midi Libre\r\n\xe9@example.org\r\n+33 6 39 98 00 01",
    )
    assert isinstance(audience, Audience)
    assert addresses(list(audience.rows())) == [
        "a@example.org",
        "b@example.org",
        "c#d@example.org",
        "6: address: is neither a mail address nor a telephone number.",
        "7: is not UTF-8. Save the file as UTF-8 (in Excel: CSV UTF-8).",
        "+33 6 39 98 00 01",
    ]


NOT_CLOSED = "a quotation mark is not closed in its line. Write each person in one line."
CSV = (
    "\ufeffaddress;language;areas;nom;consent_at\r\n"
    "a@example.org;fr;commune:34172 commune:34270;Anne;14/03/2026\r\n"
    ';;;;\r\n'
    '"b@example.org";en;"dept:34;dept:30";"dite ""B"";\r\nou Bé";\r\n'
    "\r\n"
    ";fr;dept:34;Claude;\r\n"
    "d@example.org;fr;dept:34;Denis;;;\r\n"
    "e@example.org;fr;dept:34;Élie;;x\r\n"
    "f@example.org\r\n"
    "g@example.org;fr;dept:99;;\r\n"
    '"h@example.org";en;"dept:34;dept:30";"dite ""H"";";\r\n'
)  # fmt: skip


def test_a_table_of_a_spreadsheet(file: Path) -> None:
    audience = table(file, CSV)
    assert isinstance(audience, Audience)
    rows = list(audience.rows())
    assert addresses(rows) == [
        "a@example.org",
        f"4: {NOT_CLOSED}",
        f"5: {NOT_CLOSED}",
        "7: address: is missing.",
        "d@example.org",
        "9: has 6 cells, and the first line names 5 columns.",
        "f@example.org",
        (
            "11: areas: 'dept:99' is not an area of the COG 2026. "
            "Write commune:34172 (the code of INSEE, not a postcode), epci:243400017 or dept:34."
        ),
        "h@example.org",
    ]
    first, *_, last = rows
    assert isinstance(first, Subscriber)
    assert isinstance(last, Subscriber)
    assert (first.language, first.areas, first.consent and first.consent.at.day) == (
        "fr", ("commune:34172", "commune:34270"), 14
    )  # fmt: skip
    assert last.areas == ("dept:34", "dept:30")


@pytest.mark.parametrize("content", [
    "address,areas\na@example.org,dept:34\n",
    "address\tareas\na@example.org\tdept:34\n",
    "Address;Areas\na@example.org;dept:34",
    '"address", "areas"\n"a@example.org", dept:34\n',
])  # fmt: skip
def test_delimiters(file: Path, content: str) -> None:
    [row] = table(file, content).rows()
    assert isinstance(row, Subscriber)
    assert (row.address, row.areas) == ("a@example.org", ("dept:34",))


@pytest.mark.parametrize(
    ("content", "columns", "reason"),
    [
        (b"", {}, "has no column 'address'. Its columns: none."),
        (b"address\n", {"areas": "Code"}, "has no column 'Code'. Its columns: address."),
        (b"address,area\n", {}, "has a column 'area'. Call it 'areas' if it is that, or something else if it is not."),
        (b"address,areas,Areas\n", {}, "has the column 'Areas' twice."),
        (b"address,pr\xe9nom\n", {}, "is not UTF-8. Save the file as UTF-8 (in Excel: CSV UTF-8)."),
    ],
)
def test_wrong_tables(file: Path, content: bytes, columns: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingsError) as error:
        list(table(file, content, **columns).rows())
    assert str(error.value) == f"audiences.residents: the file {file} {reason}"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('"b@example.org', f"3: {NOT_CLOSED}"),
        ('"b@example.org" x,', "3: address: is not a mail address."),
    ],
)
@pytest.mark.parametrize("after", [1, 40])
def test_a_wrong_quotation_mark_costs_one_line(file: Path, line: str, reason: str, after: int) -> None:
    others = [f"{n}@example.org" for n in range(after)]
    audience = table(file, "\n".join(["address,key", "a@example.org", line, *others]))
    assert addresses(list(audience.rows())) == ["a@example.org", reason, *others]


def test_no_line_of_a_cell_with_line_ends_is_a_person(file: Path) -> None:
    note = '"moved\nold@example.org;\nuntil ""2024"""'
    audience = table(file, f"address;nom\na@example.org;{note}\nb@example.org;Bob\n")
    rows = list(audience.rows())
    assert addresses(rows) == [f"{line}: {NOT_CLOSED}" for line in (2, 3, 4)] + ["b@example.org"]
    assert list(audience.rows(start=2)) == rows[1:]


@pytest.mark.parametrize("kind", ["text", "csv"])
@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_no_list_of_wrong_rows(file: Path, kind: str, coding: str) -> None:
    audience = TextFile(name="press", path=file) if kind == "text" else CsvFile(name="press", path=file)
    file.write_bytes("\ufeffaddress\r\na@example.org\r\n".encode(coding))
    with pytest.raises(SettingsError, match="is not UTF-8"):
        list(audience.rows())


@pytest.mark.parametrize("kind", ["text", "csv"])
def test_files_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    def audience(path: Path) -> TextFile | CsvFile:
        if kind == "text":
            return TextFile(name="press", path=path, at="channels.mail.recipients")
        return CsvFile(name="press", path=path)

    at = "channels.mail.recipients" if kind == "text" else "audiences.press"
    missing = tmp_path / "missing"
    for call in (audience(missing).revision, lambda: list(audience(missing).rows())):
        with pytest.raises(SettingsError) as error:
            call()
        assert str(error.value) == f"{at}: the file {missing} cannot be read (No such file or directory)."
    with pytest.raises(SettingsError, match="Is a directory"):
        list(audience(tmp_path).rows())
    for call in (audience(Path("a\0b")).revision, lambda: list(audience(Path("a\0b")).rows())):
        with pytest.raises(SettingsError, match="embedded null byte"):
            call()


def test_the_revision_changes_with_the_file(file: Path) -> None:
    audience = text(file, b"a@example.org")
    first = audience.revision()
    assert audience.revision() == first
    os.utime(file, ns=(1, 1))
    second = audience.revision()
    new = file.with_suffix(".new")
    new.write_bytes(b"b@example.org")
    os.utime(new, ns=(1, 1))
    new.replace(file)
    assert len({first, second, audience.revision()}) == 3
    assert table(file, "address").revision() != second


LINES = st.lists(
    st.sampled_from(
        ["a@example.org", "", "# x", "wrong", '"b@example.org"', '"c@example.org","x\ny"', "é@example.org", '"']
    ),
    max_size=12,
)  # fmt: skip


@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]), closed=st.booleans(), kind=st.sampled_from(["text", "csv"]))
def test_reading_goes_on_behind_each_row(
    tmp_path_factory: pytest.TempPathFactory, *, lines: list[str], end: str, closed: bool, kind: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows"
    head = ["address,notes"] if kind == "csv" else []
    path.write_bytes((end.join([*head, *lines]) + (end if closed else "")).encode())
    audience = (CsvFile if kind == "csv" else TextFile)(name="x", path=path)
    rows = list(audience.rows())
    assert [row.position for row in rows] == sorted({row.position for row in rows})
    for number, row in enumerate(rows):
        assert list(audience.rows(start=row.position)) == rows[number:]
        assert list(audience.rows(start=row.position + 1)) == rows[number + 1 :]
