"""Write the tables of a new journal as SQL, for tests that open a journal of the first version."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_mock_engine
from sqlalchemy.sql.ddl import ExecutableDDLElement

from policenotify.journal.database import schema

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"


def write(url: str) -> None:
    """Write the tables of one database."""
    statements: list[str] = []

    def note(statement: ExecutableDDLElement, *_given: object) -> None:
        lines = str(statement.compile(dialect=engine.dialect)).strip().splitlines()
        statements.append("\n".join(line.replace("\t", "    ").rstrip() for line in lines))

    engine = create_mock_engine(url, note)
    schema.metadata.create_all(engine, checkfirst=False)
    indexes = sorted(each for each in statements if "INDEX" in each.partition("\n")[0])  # a table's are a set
    text = ";\n\n".join([*(each for each in statements if each not in indexes), *indexes]) + ";\n"
    (GOLDEN / f"journal_v1.{engine.dialect.name}.sql").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write("sqlite://")
    write("postgresql+psycopg://")
