"""Texts for officers: English as they are, in a language by exact look-up, and a translation of every template."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from policenotify.errors import IdempotencyConflict, JournalError, Refused
from policenotify.translation import AnyText, Text, in_language, languages, lines_of, quoted, read_text, stored_text

SPACE = "\N{NO-BREAK SPACE}"
SOURCE = Path(str(files("policenotify")))

OF_TEXTS = {"Text", "counted", "word"}
SHOWN = {
    # our errors and those of click
    "Blocked", "ChannelError", "InvalidAlert", "InvalidImage", "InvalidTransition", "JournalError", "JournalMissing",
    "NotErasable", "PolicenotifyError", "Refused", "SettingsError", "Unavailable", "Unconfirmed", "UnknownNetwork",
    "BadParameter", "ClickException", "UsageError", "without_side_effects",
    # parts of a page, and lines of `doctor`
    "Block", "Finding", "line", "note", "paragraph", "prose", "right", "wrong",
}  # fmt: skip
BY_NAME = {"hint", "known", "problem", "reason", "remedy", "skip", "title", "why"}
COMMANDS = ("policenotify ", "pip install ", "python manage.py ")  # are copied, not read
NAMES = {"page"}  # of a file
LISTED = {"f'{self.field}:'"}  # in `.ci/words.py`
FOR_DEVELOPERS = ("testing/", "integrations/django/forms.py", "integrations/django/system_checks.py")
"""What only those read who write a program or a test with the package."""


def messages(language: str) -> list[Message]:
    with (files("policenotify.translation") / "locale" / language / "LC_MESSAGES" / "policenotify.po").open(
        "rb"
    ) as file:
        return [message for message in read_po(file) if message.id]


def forms(texts: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts or ())


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id, node


def literals(node: ast.expr) -> Iterator[ast.Constant | ast.JoinedStr]:
    match node:
        case ast.IfExp():
            parts = [node.body, node.orelse]
        case ast.BoolOp():
            parts = node.values
        case ast.BinOp():
            parts = [node.left, node.right]
        case ast.Constant(value=str()) | ast.JoinedStr():
            yield node
            return
        case _:
            return
    for part in parts:
        yield from literals(part)


def constant(node: ast.Constant | ast.JoinedStr) -> str:
    """Return what is written out in it, with a mark for each value."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


def is_prose(text: str) -> bool:
    return bool(re.search(r"[A-Za-z]{2}[.,:;]? | [A-Za-z]{2}", text)) and not text.startswith(COMMANDS)


def untranslated(source: str, known: set[str]) -> Iterator[str]:
    """Yield what a page in another language would show in English."""
    for name, call in calls(ast.parse(source)):
        if name in OF_TEXTS and call.args:
            for text in literals(call.args[0]):
                template = constant(text).replace("{", "{{").replace("}", "}}") if name == "word" else constant(text)
                computed = isinstance(text, ast.JoinedStr) and ast.unparse(text) not in LISTED
                if computed or (isinstance(text, ast.Constant) and template and template not in known):
                    yield f"{call.lineno}: {ast.unparse(text)} is not in the catalogue"
        if name in SHOWN:
            values = [*call.args[:2], *(keyword.value for keyword in call.keywords if keyword.arg in BY_NAME)]
        elif name in {"Text", "counted"}:
            values = [keyword.value for keyword in call.keywords]
        else:
            values = [keyword.value for keyword in call.keywords if keyword.arg in BY_NAME]
        for value in values:
            chosen = name in OF_TEXTS and isinstance(value, (ast.IfExp, ast.BoolOp))
            yield from (
                f"{call.lineno}: {ast.unparse(text)} is no Text"
                for text in literals(value)
                if is_prose(constant(text)) or (chosen and constant(text).isalpha() and constant(text) not in NAMES)
            )


def test_a_text_that_is_not_in_the_catalogue_is_found() -> None:
    known = {"{name} is off"}
    wrong = """
Text("{name} is on", name=name)
Text("{name} is off" if off else "off", name=name)
Text(f"{name} is off")
Refused(f"It is {name}.")
Refused(reason, remedy="Write it again.")
Text("{name} is off", name="a class")
Text("{name} is off", name="upload" if name else "key")
"""
    assert sorted({int(line.partition(":")[0]) for line in untranslated(wrong, known)}) == [2, 3, 4, 5, 6, 7, 8]
    right = """
Text("{name} is off", name=f"channels.{name}")
output.paragraph(f"policenotify end {incident}")
Refused(Text("{name} is off", name="x"))
"""
    assert list(untranslated(right, known)) == []


def test_no_text_of_an_officer_is_written_in_english_only() -> None:
    known = {forms(message.id)[0] for message in messages("fr")}
    found = [
        f"{name}:{fault}"
        for file in sorted(SOURCE.rglob("*.py"))
        if not (name := file.relative_to(SOURCE).as_posix()).startswith(FOR_DEVELOPERS)
        for fault in untranslated(file.read_text(encoding="utf-8"), known)
    ]
    assert found == []


@pytest.mark.parametrize("language", languages())
def test_each_template_has_a_translation_with_its_arguments(language: str) -> None:
    """An argument left out would be a name or a command that the officer needs."""
    wrong = [
        message.id
        for message in messages(language)
        if not all(forms(message.string))
        or any(names(form) | {"count"} != names(forms(message.id)[-1]) | {"count"} for form in forms(message.string))
    ]
    assert wrong == []


@pytest.mark.parametrize("language", languages())
def test_each_template_is_found_and_filled(language: str) -> None:
    for message in messages(language):
        for count in (1, 2):
            *_, english = forms(message.id)
            args = dict.fromkeys(names(english) - {"count"}, 7)
            text = (
                Text.counted(message.id[0], message.id[1], count=count, **args)
                if isinstance(message.id, tuple)
                else Text(english, **args, **({"count": count} if "count" in names(english) else {}))
            )
            assert text.in_(language) in [
                form.format_map({**args, "count": count}) for form in forms(message.string)
            ], english


def test_french_has_its_spaces_and_quotes() -> None:
    texts = [form for message in messages("fr") for form in forms(message.string)]
    assert [text for text in texts if re.search(r"\w [:;!?»](?=\s|$)|« ", text)] == []
    assert [text for text in texts if re.search(rf"[^{SPACE}]»|«[^{SPACE}]", text)] == []


def test_a_text_is_english_until_an_edge_looks_it_up() -> None:
    text = Text("Nothing was sent. {text}", text=Text("The incident {incident} …", incident="t-1"))
    assert str(text) == "Nothing was sent. The incident t-1 …"
    assert text.in_("fr") == "Rien n'a été envoyé. The incident t-1 …"
    assert text.in_("en") == text.in_("tlh") == text.in_("../fr") == str(text)


def test_the_words_of_others_are_never_translated() -> None:
    """The words of a server may equal one of our texts."""
    said = Text("Nothing was sent. {text}", text="cancelled")
    assert said.in_("fr") == "Rien n'a été envoyé. cancelled"
    assert in_language("cancelled", "fr") == "cancelled"
    assert in_language(Refused("cancelled", remedy="refused", code="7"), "fr") == "cancelled [7] refused"


def test_texts_are_joined_without_empty_ones() -> None:
    joined = Text.join(", ", (Text("waiting"), "", "x", Text.join(" ", ())))
    assert joined == "waiting, x"
    assert joined.in_("fr") == "en attente, x"
    assert not Text.join(" ", ())
    assert lines_of(Text.join("\n", (Text("waiting"), "a\nb"))) == ["waiting", "a", "b"]


def test_a_name_is_quoted_as_the_language_quotes() -> None:
    assert (str(quoted("x")), quoted("x").in_("fr")) == ("'x'", f"«{SPACE}x{SPACE}»")


def test_errors_carry_their_texts() -> None:
    error = IdempotencyConflict("k", "01ABC")
    assert str(error) == str(error.text)
    assert "déjà" in error.in_("fr")
    assert pickle.loads(pickle.dumps(error)).in_("fr") == error.in_("fr")  # noqa: S301 - our own
    unknown = JournalError(Text("The incident"), published="unknown")
    assert str(unknown) == "The incident Nothing was sent that is not in it."
    assert unknown.in_("fr") == "L'incident Rien n'a été envoyé qui n'y soit inscrit."


class Holder(BaseModel):
    text: AnyText = ""


def test_json_is_english() -> None:
    assert Holder(text=Text("{a} left out", a="x")).model_dump(mode="json") == {"text": "x left out"}
    assert Holder.model_json_schema()["properties"]["text"]["type"] == "string"
    assert isinstance(Holder(text=Text("a")).text, Text)


TEXTS = st.recursive(
    st.builds(lambda a, b: Text("{a} of {b}", a=a, b=b), st.text(), st.integers()),
    lambda inner: st.builds(lambda a, b: Text.join("; ", (a, b)), inner, inner | st.text(min_size=1)),
    max_leaves=5,
)


@given(TEXTS)
def test_a_stored_text_is_the_same(text: Text) -> None:
    read = read_text(stored_text(text))
    assert read == text
    assert in_language(read, "fr") == text.in_("fr")


@given(st.text())
def test_a_stored_plain_text_stays_plain(text: str) -> None:
    assert read_text(stored_text(text)) == text.replace("\x1e", " ")


def test_the_words_of_a_server_are_never_read_as_a_template() -> None:
    words = stored_text(Text("Nothing was sent. {text}", text="x"))
    assert read_text(stored_text(words)) == words.replace("\x1e", " ")


@pytest.mark.parametrize(
    "damage",
    [
        "\x1e",
        "\x1e{",
        '\x1e{"template": "{a}", "args": {}}',
        '\x1e{"args": {}}',
        '\x1e{"template": "{a.b}", "args": {"a": "x"}}',
    ],
)
def test_of_damaged_arguments_the_english_is_left(damage: str) -> None:
    assert read_text(f"x{damage}") == "x"
