"""`policenotify networks new`: create the package of a network."""

from __future__ import annotations

import re
import secrets
import shutil
import unicodedata
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.errors import SettingsError
from policenotify.networks.registry import networks
from policenotify.translation import Text

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_EXAMPLE: Final = files("policenotify.cli") / "example"  # the network of docs/howto/add-a-network.md
_LONGEST: Final = 20  # characters: the module's name is written several times on a line


@click.command(
    "new", short_help="Create the package of a network of your own.", epilog=exit_codes("1 nothing was created")
)
@click.argument("name")
@click.option(
    "--folder",
    metavar="FOLDER",
    help="Folder to write.  [default: policenotify-NAME here]",
    shell_complete=completion.files,
)
@common
@pass_context
def new(call: CliContext, /, *, name: str, folder: str | None) -> Exit:
    """Create the package of a network of your own: it builds, is typed, and passes the contract tests as it is.

    It sends JSON to a server that does not exist: replace its requests by
    those of your network, and let its tests show what is still missing.

    \b
    Examples:
      policenotify networks new radio
      policenotify networks new radio --folder radio
    """
    _check_name(name)
    place = Path(folder or f"policenotify-{name}").expanduser()
    written = _write(name, place)
    [network] = (place / file for file in written if file.endswith("__init__.py"))
    steps = [
        Text(
            "Try it, with the folder of policenotify's wheel: cd {place} && uv run --find-links WHEELS pytest",
            place=place,
        ),
        Text("Replace the requests of the example by those of your network: {network}", network=network),
        Text(
            "Install it beside policenotify: pip install {place}", place=place if place.is_absolute() else f"./{place}"
        ),
    ]
    paths = [str(place / file) for file in written]
    call.emit({"written": paths, "next": steps}, *output.steps(paths, steps))
    return Exit.OK


def _check_name(name: str) -> None:
    """Reject an invalid name. It becomes an option's value, an extra and a module."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        near = _valid_name(name)
        hint = Text(" Did you mean {near!r}?", near=near) if near else ""
        raise SettingsError(
            Text(
                "{name!r} is not a network name: write 1 to {longest} of a-z, 0-9 and single hyphens, "
                "beginning with a letter.{hint}",
                name=name,
                longest=_LONGEST,
                hint=hint,
            )
        )
    if name == "new":
        raise SettingsError(
            Text(
                "{name!r} is a command of `policenotify networks`. Name the network otherwise: 'my-{name}'.", name=name
            )
        )
    if known := next((network for network in networks() if network.name == name), None):
        raise SettingsError(
            Text(
                "{name!r} is a network of the installed package {package!r}; a name that two packages claim "
                "is refused. Name yours otherwise: 'my-{name}'.",
                name=name,
                package=known.package,
            )
        )


def _valid_name(name: str) -> str:
    """Return the nearest valid name, or an empty text."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).lstrip("-0123456789")[:_LONGEST].rstrip("-")


def _write(name: str, place: Path) -> tuple[str, ...]:
    """Write the package into a new or empty folder, whole or not at all.

    Raises:
        SettingsError: The folder is not empty, or cannot be written.
    """
    module = f"policenotify_{name.replace('-', '_')}"
    parts = [part.capitalize() for part in name.split("-")]
    example_files = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        ".gitignore": "gitignore",
        f"src/{module}/__init__.py": "network.py",
        f"tests/test_{module.removeprefix('policenotify_')}.py": "test.py",
    }
    example = {file: (_EXAMPLE / f"{source}.txt").read_text("utf-8") for file, source in example_files.items()}
    texts = {file: _named(text, name, module, parts) for file, text in example.items()}
    texts[f"src/{module}/py.typed"] = ""
    target = place.resolve()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise SettingsError(
                Text(
                    "{place} exists already, and is not empty. Nothing was written: give another --folder.", place=place
                )
            )
        if not target.parent.is_dir():
            raise SettingsError(
                Text("There is no folder {parent}. Nothing was written: create it first.", parent=target.parent)
            )
        try:
            for file, text in texts.items():
                path = draft / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            draft.replace(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise SettingsError(
            Text("{place} cannot be written ({strerror}). Nothing was written.", place=place, strerror=error.strerror)
        ) from error
    return tuple(texts)


def _named(text: str, name: str, module: str, parts: list[str]) -> str:
    """Return a file of the example, with the names of a network in place of its own."""
    text = text.replace("policenotify>=0", f"policenotify{_bound(version('policenotify'))}")
    text = text.replace("policenotify_radio", module).replace(
        "test_radio", f"test_{module.removeprefix('policenotify_')}"
    )
    for end in ("Channel", "Fixture"):  # never a keyword or an imported name
        text = text.replace(f"Radio{end}", f"{''.join(parts)}{end}")
    return text.replace("TestRadio", f"Test{''.join(parts)}").replace("Radio", " ".join(parts)).replace("radio", name)


def _bound(own: str) -> str:
    """Return the compatible releases: up to a change of the first non-zero number."""
    major, minor = map(int, re.findall(r"\d+", own)[:2])
    return f">={major}.{minor},<{major + 1 if major else f'0.{minor + 1}'}"
