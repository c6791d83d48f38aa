"""Keep the catalogue of officers' texts: the template, the translations and what gettext reads.

    python .ci/texts.py           extract, merge, and compile: writes the .pot, .po and .mo
    python .ci/texts.py --check   fail if one of them is older than the source, or a translation is missing or wrong

Babel finds `Text("…")` and `Text.counted("…", "…")` in the source, and `t("…")` in pages; `{{ "…"|say }}` is found in
the pages of Django. The help of commands and the options of networks are read from the commands and networks
themselves. The French of the rules of checks stands beside the rules (`checks/data`, `checks/fr`), where jurists read
both: only the compiled file repeats it.
"""

from __future__ import annotations

import inspect
import io
import re
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter

import click
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import policenotify
from policenotify.cli.app import COMMANDS, program
from policenotify.cli.commands.networks import network_info
from policenotify.cli.exit_codes import MEANINGS
from policenotify.cli.language import METAVARS
from policenotify.networks.registry import networks

SOURCE = Path(policenotify.__file__).parent
LOCALE = SOURCE / "translation" / "locale"
WORDS = Path(__file__).with_name("words.py")
KEYWORDS = {"Text": None, "counted": (1, 2), "word": None, "t": None, "say": None, "say_later": None}
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # the same texts give the same file
METHODS = [("**.py", "python"), ("**.j2", "jinja2")]


def _is_source(folder: str) -> bool:
    """Return True for all folders but compiled code. Babel would leave out private packages."""
    return not folder.endswith("__pycache__")


def source_texts() -> Iterator[str | tuple[str, str]]:
    """Yield the texts of the source."""
    options = {"**.j2": {"silent": "false"}}
    found = [
        message
        for _, _, message, _, _ in extract_from_dir(SOURCE, METHODS, options, KEYWORDS, directory_filter=_is_source)
    ]
    found += [message for _, message, _, _ in extract_from_file("python", WORDS, keywords=KEYWORDS)]
    found += [
        text for page in SOURCE.rglob("*.html") for text in re.findall(r'"([^"]+)"\|say\b', page.read_text("utf-8"))
    ]
    for message in found:
        if message:
            yield message if isinstance(message, str) else (message[0], message[1])


def help_texts(command: click.Command) -> Iterator[str]:
    """Yield the texts of the help of a command, and of the commands in it."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if not paragraph.startswith("\b"):
            yield " ".join(paragraph.split())
    yield from (" ".join(part.split()) for part in (command.epilog or "").split("\n\n") if not part.startswith("\b"))
    yield command.short_help or ""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            yield parameter.help
    for name in command.list_commands(click.Context(command)) if isinstance(command, click.Group) else ():
        inner = command.get_command(click.Context(command), name)
        if inner is not None:
            yield from help_texts(inner)


def network_texts() -> Iterator[str]:
    """Yield the texts of the networks and of their options."""
    for network in networks():
        if network.package == "policenotify":
            info = network_info(network, "")
            yield str(info.about)
            yield from (str(option.meaning) for option in info.options)


def rule_texts(language: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of the rules of checks with their translation."""
    files = [*sorted((SOURCE / "checks" / "data").glob("*.toml")), SOURCE / "checks" / "fr" / "rules.toml"]
    tables = [tomllib.loads(file.read_text(encoding="utf-8")) for file in files]
    while tables:
        table = tables.pop(0)
        if language in table:
            yield from ((table["en"][part], table[language][part]) for part in ("reason", "remedy"))
        tables += [inner for inner in table.values() if isinstance(inner, dict)]


def template() -> Catalog:
    """Return all texts, without translations."""
    found = Catalog(project="policenotify", header_comment="# Officers' texts of policenotify.")
    summaries = (summary for _, summary in COMMANDS.values())
    fields = (f"{name}:" for name in policenotify.Message.model_fields if name != "schema_version")  # of findings
    escaped = (
        text.replace("{", "{{").replace("}", "}}")
        for text in (*help_texts(program), *summaries, *fields, *MEANINGS.values(), *METAVARS, *network_texts())
    )
    texts: set[str | tuple[str, str]] = {*source_texts(), *filter(None, escaped)}
    for text in sorted(texts, key=lambda each: each if isinstance(each, str) else each[0]):
        found.add(text)
    return found


def merged(language: str, texts: Catalog) -> Catalog:
    """Return the translations of a language, with an empty one for each new text, and without those of gone texts."""
    path = LOCALE / language / "LC_MESSAGES" / "policenotify.po"
    known = read_po(io.BytesIO(path.read_bytes())) if path.exists() else Catalog()
    found = Catalog(locale=language, project="policenotify", header_comment=texts.header_comment)
    for message in texts:
        if message.id:
            old = known.get(message.id[0] if message.pluralizable else message.id)
            found.add(message.id, old.string if old and old.pluralizable == message.pluralizable else "")
    return found


def names(text: str) -> set[str]:
    """Return the names in the braces of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def faults(message: Message) -> Iterator[str]:
    """Yield what is wrong with a translation."""
    english = message.id if isinstance(message.id, tuple) else (message.id,)
    strings = message.string if isinstance(message.string, tuple) else (message.string,)
    if not all(strings):
        yield f"no translation: {english[0]!r}"
    elif any(names(text) - {"count"} != names(english[-1]) - {"count"} for text in strings):
        yield f"other names in braces: {english[0]!r}"


def written(catalog: Catalog, *, compiled: bool) -> bytes:
    """Return a catalogue as a file. It has no dates: the same texts give the same file."""
    file = io.BytesIO()
    if compiled:
        write_mo(file, catalog)
    else:
        write_po(file, catalog, width=118, sort_output=True, omit_header=False, no_location=True)
    lines = file.getvalue()
    return lines if compiled else b"\n".join(line for line in lines.split(b"\n") if not _is_dated(line))


def _is_dated(line: bytes) -> bool:
    return line.startswith((b'"POT-Creation-Date', b'"PO-Revision-Date', b'"Generated-By', b'"Last-Translator'))


def files() -> Iterator[tuple[Path, bytes, list[str]]]:
    """Yield the files as they should be, with what is wrong in them."""
    texts = template()
    yield LOCALE / "policenotify.pot", written(texts, compiled=False), []
    for folder in sorted(LOCALE.iterdir()):
        if folder.is_dir():
            catalog = merged(folder.name, texts)
            problems = [fault for message in catalog if message.id for fault in faults(message)]
            yield folder / "LC_MESSAGES" / "policenotify.po", written(catalog, compiled=False), problems
            for english, translation in rule_texts(folder.name):
                catalog.add(english, translation)
            catalog.creation_date = catalog.revision_date = _NO_DATE
            yield folder / "LC_MESSAGES" / "policenotify.mo", written(catalog, compiled=True), []


def main(arguments: list[str]) -> int:
    """Write the files, or compare them."""
    result = 0
    for path, content, problems in files():
        name = path.relative_to(SOURCE)
        if arguments != ["--check"]:
            path.write_bytes(content)
        elif not path.exists() or path.read_bytes() != content:
            problems.append("is old: run python .ci/texts.py")
        for problem in problems:
            print(f"{name}: {problem}")
            result = 1
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
