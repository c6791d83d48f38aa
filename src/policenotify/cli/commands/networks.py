"""`policenotify networks`: installed networks, their capabilities and options, and the package of a new one.

No client library is imported.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import Distribution, requires, version
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import click
from pydantic import Field, InstanceOf, JsonValue, PlainSerializer, computed_field
from pydantic_core import to_jsonable_python

from policenotify.channel import Capabilities
from policenotify.cli import output
from policenotify.cli.context import CliContext, command
from policenotify.cli.exit_codes import Exit
from policenotify.cli.output import Part
from policenotify.cli.usage import UsageError
from policenotify.errors import SettingsError, UnknownNetwork
from policenotify.model.lifecycle import FrozenModel
from policenotify.networks.registry import Network, check_networks, default_capabilities
from policenotify.networks.registry import networks as installed_networks
from policenotify.translation import AnyText, Text
from policenotify.validation import did_you_mean

_TYPES = {
    "string": Text("text"),
    "password": Text("secret text"),
    "path": Text("path"),
    "duration": Text("time span, as PT30S"),
    "integer": Text("whole number"),
    "number": Text("number"),
    "boolean": Text("true or false"),
    "array": Text("list"),
}
_NAME = re.compile(r"[a-z][a-z0-9]{0,19}")
_EXAMPLE = files("policenotify.cli") / "example"  # the network of docs/howto/add-a-network.md
_FILES = {
    "src/policenotify_{name}/__init__.py": "network.py.txt",
    "src/policenotify_{name}/py.typed": "",
    "tests/test_{name}.py": "test.py.txt",
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    ".gitignore": "gitignore.txt",
}
_NAMED = re.compile(r"such as `([^`]+)`")  # a value in the description of an option


class NetworkOption(FrozenModel):
    """An option of a network.

    Attributes:
        type: The type of its value, in words.
        meaning: What it is for, in its author's words.
    """

    name: str
    type: AnyText
    required: bool
    default: JsonValue
    meaning: AnyText


def _capabilities(capabilities: Capabilities | None) -> dict[str, JsonValue] | None:
    if capabilities is None:
        return None
    fields = {name: getattr(capabilities, name) for name in capabilities.__slots__ if "budget" not in name}
    budget = capabilities.budget
    return {"limit": budget.limit, "max_bytes": budget.max_bytes, **to_jsonable_python(fields)}


class NetworkInfo(FrozenModel):
    """A network that an installed package offers.

    Attributes:
        problem: Why it cannot be used; empty: it can.
        missing: Its libraries that are not installed.
        about: What it is, in its author's words.
        capabilities: What it can do; `None`: that depends on its configuration.
        discovers_capabilities: A channel asks its server what it can do; the capabilities are those of most servers.
        options_schema: Its options as JSON Schema; `schema` in the document.
    """

    name: str
    package: str
    target: str
    problem: AnyText
    missing: tuple[str, ...]
    about: AnyText = ""
    capabilities: Annotated[InstanceOf[Capabilities] | None, PlainSerializer(_capabilities)] = None
    discovers_capabilities: bool = False
    options: tuple[NetworkOption, ...] = ()
    options_schema: dict[str, JsonValue] = Field(default={}, serialization_alias="schema")

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def ready(self) -> bool:
        """Whether a channel on it can be opened."""
        return not self.problem and not self.missing


def network_info(network: Network, problem: AnyText) -> NetworkInfo:
    """Return what is known of a network and its *problem*. Imports no library."""
    info = NetworkInfo(
        name=network.name,
        package=network.package,
        target=network.target,
        problem=problem,
        missing=_missing_libraries(network),
    )
    if problem:
        return info
    try:
        kind: Any = network.load()
    except SettingsError as error:  # such as one of two packages that claim the same name
        return info.model_copy(update={"problem": error.text})
    schema = kind.Options.model_json_schema()
    known = {
        "about": Text.word(" ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())),
        "capabilities": default_capabilities(kind),
        "discovers_capabilities": bool(getattr(kind, "discovers_capabilities", False)),
        "options_schema": schema,
        "options": tuple(
            NetworkOption(
                name=name,
                type=_type(option, schema.get("$defs", {})),
                required=name in schema.get("required", ()),
                default=option.get("default"),
                meaning=Text.word(" ".join(option.get("description", "").split())),
            )
            for name, option in schema["properties"].items()
        ),
    }
    return info.model_copy(update=known)


def network_lines(network: NetworkInfo) -> Iterator[Part]:
    """Yield a network as text."""
    yield output.line(Text("{name} · of the package {package}", name=network.name, package=network.package), "bold")
    if network.about:
        yield output.paragraph(network.about)
    if network.problem:
        yield output.paragraph(network.problem, "✘ ")
    elif network.missing:
        yield output.paragraph(Text("Not installed: {missing}.", missing=", ".join(network.missing)), "✘ ")
        yield output.paragraph(f"pip install '{network.package}[{network.name}]'", "→ ")
    else:
        yield output.paragraph(Text("Its library is installed."), "✔ ")


def channel_table(network: NetworkInfo, translate: Callable[[AnyText], str] = str) -> str:
    """Return the table of a channel on a network, for the settings.

    What the network requires stands first. Each other option has its default, and `#` before it.
    """
    lines = ["", *_comment(network.about, translate)]
    if network.missing:
        lines += ["# → " + f"pip install '{network.package}[{network.name}]'"]
    lines += _comment(
        Text("Every channel also has tags, languages, rate and more: docs/reference/settings.md"), translate
    )
    lines += [f"[channels.{network.name}]", f'network = "{network.name}"']
    if network.capabilities and network.capabilities.recipients:
        lines += _comment(Text("A file with one recipient a line. It is read at each publication."), translate)
        lines += ["recipients = " + _in_a_file(f"{network.name}-recipients.txt")]
    for option in sorted(network.options, key=lambda option: not option.required):
        lines += _comment(Text.join(" · ", (option.type, option.meaning)), translate)
        lines += [f"{'' if option.required else '#'}{option.name} = {_example_value(option, network.name)}"]
    return "\n".join((*lines, ""))


def _comment(text: AnyText, translate: Callable[[AnyText], str]) -> list[str]:
    lines = textwrap.wrap(translate(text), width=98, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in lines]


def _in_a_file(name: str) -> str:
    return f'{{ file = "secrets/{name}" }}'


def _example_value(option: NetworkOption, channel: str) -> str:
    if "secret" in str(option.type):
        return _in_a_file(f"{channel}-{option.name}")
    named = _NAMED.search(str(option.meaning))
    if option.default in (None, {}):
        return "{}" if option.type == "table" else f'"{named[1] if named else "…"}"'
    return default_as_text(option.default) if isinstance(option.default, dict) else json.dumps(option.default)


def _missing_libraries(network: Network) -> tuple[str, ...]:
    """Return the libraries of the network's extra that are not installed."""
    extra = re.compile(rf"""extra\s*==\s*["']{re.escape(network.name)}["']""")
    wanted = [each for each in requires(network.package) or () if extra.search(each)]
    names = [match[0] for each in wanted if (match := re.match(r"[A-Za-z0-9._-]+", each))]
    return tuple(name for name in names if not any(Distribution.discover(name=name)))


def _type(option: Mapping[str, Any], definitions: Mapping[str, Any]) -> AnyText:
    """Return the type of an option in words, from its JSON Schema."""
    match option:
        case {"$ref": str(name)}:
            return _type(definitions.get(name.rpartition("/")[2], {}), definitions)
        case {"anyOf": [*several]}:
            types = (_type(option, definitions) for option in several if option.get("type") != "null")
            return Text.join(Text(" or "), dict.fromkeys(types))
        case {"enum": [*words]}:
            return Text("one of {map}", map=", ".join(map(str, words)))
        case {"const": word}:
            return str(word)
        case {"type": "array", "items": inner}:
            return Text("list of {type}", type=_type(inner, definitions))
        case _:
            pass
    return _TYPES.get(str(option.get("format"))) or _TYPES.get(str(option.get("type"))) or Text("table")


def default_as_text(default: object) -> str:
    """Return a default as it would be written in the settings."""
    if default in (None, "", [], {}):
        return "none"
    if isinstance(default, dict):
        return f"{{ {', '.join(f'{name} = {json.dumps(value)}' for name, value in default.items())} }}"
    return str(default).lower() if isinstance(default, bool) else str(default)


@command("networks", exits="1 no such network, it cannot be used, or nothing was created")
@click.argument("name", required=False)
@click.option("--new", is_flag=True, help="Create the package of a network of your own, of this name.")
def networks(call: CliContext, name: str | None, *, new: bool) -> Exit:
    """Show every network that installed packages offer, and whether its library is installed.

    With a NAME: the table of a channel on it with each option, to add to the settings and to fill in. No settings are
    needed, and no request is sent to any network.

    The package that --new creates in the folder policenotify-NAME builds, is typed, and passes the contract tests as it
    is. Replace its requests by those of your network, and let its tests show what is still missing.

    \b
    Examples:
      policenotify networks
      policenotify networks bluesky >> policenotify.toml
      policenotify networks --json | jq '.networks[] | select(.ready | not)'
      policenotify networks radio --new
    """
    if new:
        if name is None:
            raise UsageError(Text("Which network? policenotify networks NAME --new"))
        return _create(call, name)
    if name is None:
        infos = [network_info(network, problem) for network, problem in check_networks()]
        more = output.prose(Text("\nThe options of one: policenotify networks NAME"))
        call.emit(_document(infos), *(line for info in infos for line in network_lines(info)), more)
        return Exit.OK
    installed = installed_networks()
    infos = [network_info(network, "") for network in installed if network.name == name]  # no other is imported
    if not infos:
        hint = did_you_mean(name, {network.name for network in installed}, known=Text("Installed"))
        raise UnknownNetwork(Text("No installed package offers the network {name!r}. {hint}", name=name, hint=hint))
    if call.json or infos[0].problem:
        call.emit(_document(infos), *(line for info in infos for line in network_lines(info)))
    else:
        call.answer(None, channel_table(infos[0], call.say))
    return Exit.OK if any(info.ready for info in infos) else Exit.REJECTED


def _document(infos: Iterable[NetworkInfo]) -> dict[str, object]:
    return {"networks": [info.model_dump(mode="json", by_alias=True) for info in infos]}


def _create(call: CliContext, name: str) -> Exit:
    """Create the package of a network: the example of docs/howto/add-a-network.md under another name."""
    if not _NAME.fullmatch(name):
        raise SettingsError(
            Text("{name!r} is not a network name: write 1 to 20 of a-z and 0-9, beginning with a letter.", name=name)
        )
    if known := next((network for network in installed_networks() if network.name == name), None):
        raise SettingsError(
            Text(
                "{name!r} is a network of the installed package {package!r}; a name that two packages claim "
                "is refused. Name yours otherwise: 'my{name}'.",
                name=name,
                package=known.package,
            )
        )
    place = Path(f"policenotify-{name}")
    written = []
    try:
        place.mkdir()
        for file, source in _FILES.items():
            path = place / file.format(name=name)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (_EXAMPLE / source).read_text("utf-8") if source else ""
            path.write_text(_named(text, name), encoding="utf-8")
            written.append(str(path))
    except OSError as error:
        raise SettingsError(Text("{place} cannot be written ({why}).", place=place, why=error.strerror)) from error
    steps = [
        Text(
            "Try it, with the folder of policenotify's wheel: cd {place} && uv run --find-links WHEELS pytest",
            place=place,
        ),
        Text("Replace the requests of the example by those of your network: {network}", network=written[0]),
        Text("Install it beside policenotify: pip install ./{place}", place=place),
    ]
    call.emit({"written": written, "next": steps}, *output.steps(written, steps))
    return Exit.OK


def _named(text: str, name: str) -> str:
    """Return a file of the example with another name, which is never a keyword or an imported name there."""
    major, minor = map(int, re.findall(r"\d+", version("policenotify"))[:2])
    newest = str(major + 1) if major else f"0.{minor + 1}"
    text = text.replace("policenotify>=0", f"policenotify>={major}.{minor},<{newest}")
    return text.replace("Radio", name.capitalize()).replace("radio", name)
