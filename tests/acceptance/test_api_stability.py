"""What is public stays: every name and signature, the settings, the documents, as `docs/reference/stability.md` says.

`bash .ci/run regenerate` writes both lists; look at the difference before it is committed.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

import click
import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from policenotify.cli.app import COMMANDS, program
from policenotify.cli.commands.schema import SCHEMAS
from policenotify.cli.exit_codes import Exit
from policenotify.networks.registry import ENTRY_POINT_GROUP, OWN_PACKAGE, networks
from tests.support import golden

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "stability.md"
CHANGES: Final = ROOT / "docs" / "reference" / "changelog.md"
FRAGMENTS: Final = sorted((ROOT / "docs" / "changes").glob("*.md"))
GOLDEN: Final = Path(__file__).parents[1] / "golden" / "public.txt"
MARKS: Final = ("<!-- written by tests/acceptance/test_api_stability.py -->\n", "<!-- end -->\n")

MODULES: Final = {
    "policenotify": "applications",
    "policenotify.audiences": "sources of subscribers",
    "policenotify.channel": "networks",
    "policenotify.networks.options": "networks",
    "policenotify.checks": "rules of an installation, and the law of other countries",
    "policenotify.errors": "networks, applications",
    "policenotify.events": "applications",
    "policenotify.log": "applications",
    "policenotify.model": "applications",
    "policenotify.translation": "applications, networks",
    "policenotify.transport": "networks",
    "policenotify.text": "networks",
    "policenotify.testing": "tests of networks and applications",
    "policenotify.testing.strategies": "property-based tests",
    "policenotify.campaigns": "applications",
    "policenotify.model.places": "applications",
    "policenotify.render.locales": "added languages and categories",
    "policenotify.integrations.celery": "task queues and web frameworks",
    "policenotify.integrations.procrastinate": "task queues and web frameworks",
    "policenotify.integrations.django": "task queues and web frameworks",
    "policenotify.integrations.django.forms": "task queues and web frameworks",
    "policenotify.integrations.django.signals": "Django projects",
    "policenotify.integrations.django.testing": "tests of Django projects",
    "policenotify.web": "web servers of a feed",
}
"""What is public, and to whom."""

_NOT_OURS: Final = frozenset(dir(BaseModel)) | frozenset(dir(Exception)) | {"read"}
_PLAIN: Final = (bool, int, float, str, type(None), tuple, frozenset)


def names_of(module: str) -> tuple[str, ...]:
    """What a module offers: its `__all__`, else what it defines itself without an underscore."""
    loaded = importlib.import_module(module)
    if hasattr(loaded, "__all__"):
        return tuple(sorted(loaded.__all__))
    tree = ast.parse(Path(str(loaded.__file__)).read_text(encoding="utf-8"))
    found = set[str]()
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                found.add(name)
            case _:
                pass
    return tuple(sorted(name for name in found if not name.startswith("_")))


def _default(value: object) -> str:
    """A default, where it reads the same everywhere."""
    if isinstance(value, Enum):
        return f" = {type(value).__name__}.{value.name}"
    return f" = {value!r}" if isinstance(value, _PLAIN) and len(repr(value)) < 40 else " = …"


def _signature(function: Any, *, skip: int) -> str:
    signature = inspect.signature(function)
    shown, star = [], False
    for parameter in list(signature.parameters.values())[skip:]:
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            shown.append("*")
        star = star or parameter.kind in {parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL}
        sign = "*" * (parameter.kind is parameter.VAR_POSITIONAL) + "**" * (parameter.kind is parameter.VAR_KEYWORD)
        kind = "" if parameter.annotation is parameter.empty else f": {_hint(parameter.annotation)}"
        default = "" if parameter.default is parameter.empty else _default(parameter.default)
        shown.append(f"{sign}{parameter.name}{kind}{default}")
    result = signature.return_annotation
    back = "" if result in {signature.empty, "None", None} else f" -> {_hint(result)}"
    return f"({', '.join(shown)}){back}"


def _hint(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _hints(kind: type) -> dict[str, str]:
    return {
        name: _hint(said)
        for one in reversed(kind.__mro__)
        for name, said in vars(one).get("__annotations__", {}).items()
    }


def _made(kind: type) -> str:
    """How an object is made."""
    if issubclass(kind, Enum):
        return " = " + " | ".join(f"{one.name} {one.value!r}" for one in kind)
    if issubclass(kind, BaseModel):
        hints = _hints(kind)
        fields = (
            f"{name}: {hints[name]}"
            + ("" if field.is_required() else _default(... if field.default is PydanticUndefined else field.default))
            for name, field in kind.model_fields.items()
        )
        return f"(*, {', '.join(fields)})"
    if getattr(kind, "_is_protocol", False):
        return ": a protocol"
    return (
        _signature(kind.__init__, skip=1) if "__init__" in dir(kind) and kind.__init__ is not object.__init__ else "()"
    )


def _documented(kind: type) -> list[str]:
    """The attributes that the docstring tells, where they are no fields."""
    if dataclasses.is_dataclass(kind) or issubclass(kind, (BaseModel, Enum)):
        return []
    told = re.search(r"^Attributes:\n((?:[ ]+.*\n?|\n)+)", inspect.getdoc(kind) or "", re.MULTILINE)
    return re.findall(r"^    (\w+):", told[1], re.MULTILINE) if told else []


def _within(kind: type) -> Iterator[str]:
    """The methods and properties of a class, those inherited from policenotify included."""
    for name in sorted({*dir(kind), *_documented(kind)}):
        if (
            name.startswith("_")
            or name in _NOT_OURS - set(vars(kind))
            or (issubclass(kind, Enum) and name in kind.__members__)
        ):
            continue
        found = inspect.getattr_static(kind, name, None)
        found = getattr(found, "wrapped", found)  # pydantic's `computed_field` of a dataclass
        owner = next((one for one in kind.__mro__ if name in vars(one)), kind)
        if not owner.__module__.startswith("policenotify"):
            continue
        if isinstance(found, property):
            hint = getattr(found.fget, "__annotations__", {}).get("return", "?")
            yield f".{name}: {_hint(hint)}"
        elif name.startswith("test_"):
            yield f".{name}"
        elif isinstance(found, (classmethod, staticmethod)):
            yield f".{name}{_signature(found.__func__, skip=int(isinstance(found, classmethod)))}"
        elif inspect.isfunction(found):
            yield f".{name}{_signature(found, skip=1)}"
        elif name in _documented(kind):
            yield f".{name}: {_hints(kind).get(name, 'as documented')}"


def _listed(name: str, value: object) -> Iterator[str]:
    if isinstance(value, type):
        yield f"{name}{_made(value)}"
        yield from (f"{name}{line}" for line in _within(value))
    elif inspect.isfunction(value):
        yield f"{name}{_signature(value, skip=0)}"
    else:
        yield f"{name}: a value"


def _properties(
    schema: Mapping[str, Any], at: str, kinds: Mapping[str, Any], seen: tuple[str, ...] = ()
) -> Iterator[str]:
    """Every property of a JSON Schema, by its path."""
    if reference := schema.get("$ref"):
        name = str(reference).rpartition("/")[2]
        if name not in seen:
            yield from _properties(kinds[name], at, kinds, (*seen, name))
    for name, about in schema.get("properties", {}).items():
        path, needed = f"{at}.{name}", " (required)" if name in schema.get("required", ()) else ""
        yield path + needed
        yield from _properties(about, path, kinds, seen)
    for inner in (*schema.get("anyOf", ()), *schema.get("prefixItems", ())):
        yield from _properties(inner, at, kinds, seen)
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from _properties(inner, f"{at}[]", kinds, seen)


def _commands(name: str, command: click.Command) -> Iterator[str]:
    yield name
    yield from (f"{name} {option}" for one in command.params for option in (*one.opts, *one.secondary_opts))
    for within, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(f"{name} {within}", inner)


def listed() -> Iterator[str]:
    """Every line of what is promised."""
    for module in MODULES:
        for name in names_of(module):
            yield from _listed(f"{module}.{name}", getattr(importlib.import_module(module), name))
    yield from (f"{ENTRY_POINT_GROUP}: {one.name} of {one.package}" for one in networks() if one.package == OWN_PACKAGE)
    yield from (f"exit code {code.value}: {code.name}" for code in Exit)
    for name in sorted(COMMANDS):
        if command := program.get_command(click.Context(program), name):
            yield from _commands(f"policenotify {name}", command)
    for name, made in SCHEMAS.items():
        schema = made()
        yield from dict.fromkeys(_properties(schema, f"policenotify schema {name}: ", schema.get("$defs", {})))


def table() -> str:
    """The modules, for the page."""
    rows = [f"| `{module}` | {whom} |" for module, whom in MODULES.items()]
    return "\n".join(("| module | for |", "|--|--|", *rows)) + "\n"


def _what_to_do(what: str) -> str:
    return (
        f"{what} If it is meant: `bash .ci/run regenerate` writes the list, docs/changes gets a "
        "fragment, and what is removed or changed stays beside the new as long as docs/reference/stability.md states."
    )


def test_every_name_and_signature_is_as_it_was_promised() -> None:
    if golden.WRITES:
        GOLDEN.write_text("".join(f"{line}\n" for line in listed()), encoding="utf-8")
    promised, there = GOLDEN.read_text(encoding="utf-8").splitlines(), list(listed())
    lost = [f"- {line}" for line in promised if line not in set(there)]
    new = [f"+ {line}" for line in there if line not in set(promised)]
    changed = "\n".join((*lost, *new))
    assert changed == "", f"\n{changed}\n\n" + _what_to_do("This is public, and has changed.")


def test_the_page_names_what_is_public() -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    golden.check(PAGE, f"{before}{MARKS[0]}{table()}{MARKS[1]}{rest.partition(MARKS[1])[2]}")


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_pages_teach_only_what_is_public(page: Path) -> None:
    found = re.findall(
        r"^\s*from (policenotify(?:\.[\w.]+)?) import ([^\n(]+)", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    taught = {(module, name.strip().partition(" as ")[0]) for module, names in found for name in names.split(",")}
    assert {(module, name) for module, name in taught if module not in MODULES or name not in names_of(module)} == set()


def test_the_changelog_has_this_version_or_its_fragments() -> None:
    first = re.search(r"^## (\S+)", CHANGES.read_text(encoding="utf-8"), re.MULTILINE)
    from importlib.metadata import version  # noqa: PLC0415 - beside its use

    released = first is not None and first[1] == version("policenotify")
    assert released or FRAGMENTS


def test_a_fragment_of_the_changelog_begins_with_what_was_done() -> None:
    for fragment in FRAGMENTS:
        kind = fragment.suffixes[-2].removeprefix(".")
        assert kind in {"added", "changed", "deprecated", "removed", "fixed", "security"}, fragment.name
        verb = "Fixed" if kind == "security" else kind.capitalize()
        assert fragment.read_text(encoding="utf-8").startswith(f"{verb} "), fragment.name
