"""A network, looked at: what it can do, and what it wants to know. Its library is not imported."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from pydantic_core import to_jsonable_python
from rich.console import RenderableType
from rich.text import Text

from policenotify.channel import Capabilities
from policenotify.cli import output
from policenotify.errors import SettingsError
from policenotify.networks.options import default_capabilities, options_schema
from policenotify.networks.registry import Network

_TYPES = {
    "string": "text",
    "password": "secret text",
    "path": "path",
    "duration": "time span, as PT30S",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
}
_FOR_EVER = timedelta(days=3_650)  # longer than any incident


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a network.

    Attributes:
        name: What the settings call it.
        type: What is written there.
        required: It must be given.
        default: What it is otherwise.
        meaning: What it is for, in its author's words.
    """

    name: str
    type: str
    required: bool
    default: object
    meaning: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A network, looked at.

    Attributes:
        network: What the package offers.
        problem: Why it cannot be used; empty: it can.
        lacks: The libraries of it that are not installed.
        about: What it is, in its author's words.
        capabilities: What it can do; `None`: it does not say before it is configured.
        discovers_capabilities: A channel asks its server what it can do. The abilities here are those of most servers.
        options: What it wants to know.
        schema: The same as JSON Schema.
    """

    network: Network
    problem: str
    lacks: tuple[str, ...] = ()
    about: str = ""
    capabilities: Capabilities | None = None
    discovers_capabilities: bool = False
    options: tuple[Option, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether a channel on it can be opened."""
        return not self.problem and not self.lacks

    def document(self) -> dict[str, object]:
        """It as JSON has it."""
        return {
            "name": self.network.name,
            "package": self.network.package,
            "target": self.network.target,
            "ready": self.ready,
            "problem": self.problem,
            "lacks": list(self.lacks),
            "about": self.about,
            "capabilities": _document(self.capabilities) if self.capabilities else None,
            "discovers_capabilities": self.discovers_capabilities,
            "options": [asdict(option) for option in self.options],
            "schema": self.schema,
        }

    def page(self, *, whole: bool) -> Iterator[RenderableType]:
        """It as a person reads it."""
        yield output.line(f"{self.network.name} · of the package {self.network.package}", "bold")
        if self.about:
            yield output.paragraph(self.about)
        if self.problem:
            yield output.paragraph(self.problem, "✘ ")
        elif self.lacks:
            yield output.paragraph(f"Not installed: {', '.join(self.lacks)}.", "✘ ")
            yield output.paragraph(f"pip install '{self.network.package}[{self.network.name}]'", "→ ")
        else:
            yield output.paragraph("Its library is installed.", "✔ ")
        if self.capabilities:
            yield output.paragraph("; ".join(words_of(self.capabilities)) + ".")
        if self.discovers_capabilities:
            yield output.paragraph("So do most of its servers; what its own can do, a channel learns by asking it.")
        if not whole:
            return
        yield Text("Options:" if self.options else "It has no options.")
        for option in self.options:
            how = "required" if option.required else f"default {written(option.default)}"
            yield output.line(f"  {option.name} · {option.type} · {how}")
            if option.meaning:
                yield output.paragraph(option.meaning)


def look(network: Network, problem: str) -> Shown:
    """Look at a network; its library is not imported."""
    lacks = _lacks(network)
    if problem:
        return Shown(network, problem, lacks)
    try:
        kind = network.load()
        schema = options_schema(kind)
    except SettingsError as error:  # of two packages that claim one name, this one is not used
        return Shown(network, str(error), lacks)
    meanings = _meanings(kind)
    options = tuple(
        Option(
            name=option,
            type=_type(about, schema.get("$defs", {})),
            required=option in schema.get("required", ()),
            default=about.get("default"),
            meaning=about.get("description") or meanings.get(option, ""),
        )
        for option, about in schema["properties"].items()
    )
    about = (inspect.getdoc(kind) or "").partition("\n\n")[0]
    discovers_capabilities = bool(getattr(kind, "discovers_capabilities", False))
    return Shown(
        network, "", lacks, " ".join(about.split()), default_capabilities(kind), discovers_capabilities, options, schema
    )


def words_of(capabilities: Capabilities) -> Iterator[str]:
    """What a network can do, in words."""
    budget = capabilities.budget
    yield f"{budget.limit} characters as it counts them" + (f", {budget.max_bytes} bytes" if budget.max_bytes else "")
    yield "threads" if capabilities.replies else "no threads"
    yield f"up to {capabilities.images} pictures" if capabilities.images else "no pictures"
    yield from (word for has, word in (
        (capabilities.title, "a subject line"),
        (capabilities.html, "formatted text"),
        (capabilities.recipients, "an outcome for each person"),
        (capabilities.edits, "posts can be changed"),
        (capabilities.deletes, "posts can be taken back"),
    ) if has)  # fmt: skip
    if capabilities.idempotency_window >= _FOR_EVER:
        yield "one key posts once, for ever"
    elif capabilities.idempotency_window:
        yield f"one key posts once, within {capabilities.idempotency_window}"
    yield f"it {'cannot' if capabilities.lookup_delay is None else 'can'} be asked whether a post is out"
    if capabilities.acceptance == "unverified":
        yield output.UNVERIFIED


def _document(capabilities: Capabilities) -> dict[str, object]:
    budget = capabilities.budget
    said = {name: getattr(capabilities, name) for name in capabilities.__slots__ if name != "budget"}
    plain: dict[str, object] = to_jsonable_python(said)
    return {"limit": budget.limit, "max_bytes": budget.max_bytes, **plain}


def _lacks(network: Network) -> tuple[str, ...]:
    """The libraries that the package wants for this network (its extra of the same name) and that are not there."""
    try:
        wanted = distribution(network.package).requires or []
    except PackageNotFoundError:
        return ()
    extra = re.compile(rf"""extra\s*==\s*["']{re.escape(network.name)}["']""")
    names = [found[0] for one in wanted if extra.search(one) and (found := re.match(r"[A-Za-z0-9._-]+", one))]
    return tuple(name for name in names if not _installed(name))


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _meanings(kind: type) -> dict[str, str]:
    """What the class's docstring says of each argument (*Google Python Style Guide*, section 3.8.3)."""
    documentation = inspect.getdoc(kind) or ""
    found = re.search(r"^Args:\n((?:[ ]{2,}.*\n?|\n)+)", documentation, re.MULTILINE)
    said = inspect.cleandoc(found[1] if found else "")
    arguments = re.findall(r"^(\w+)(?: \([^)]*\))?: (.*(?:\n[ ]+.*)*)", said, re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in arguments}


def _type(about: Mapping[str, Any], kinds: Mapping[str, Any]) -> str:
    """What is written there, in words, from its JSON Schema."""
    match about:
        case {"$ref": str(name)}:
            return _type(kinds.get(name.rpartition("/")[2], {}), kinds)
        case {"anyOf": [*several]}:
            return " or ".join(dict.fromkeys(_type(one, kinds) for one in several if one.get("type") != "null"))
        case {"enum": [*words]}:
            return f"one of {', '.join(map(str, words))}"
        case {"const": word}:
            return str(word)
        case {"type": "array", "items": inner}:
            return f"list of {_type(inner, kinds)}"
        case _:
            pass
    return _TYPES.get(str(about.get("format")), "") or _TYPES.get(str(about.get("type")), "table")


def written(default: object) -> str:
    """A default as it would be written in the settings."""
    if default in (None, "", [], {}):
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)
