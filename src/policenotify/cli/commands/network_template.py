"""`policenotify networks new`: the package of a network of one's own, which works before its first line is changed."""

from __future__ import annotations

import re
import secrets
import shutil
import unicodedata
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.errors import SettingsError
from policenotify.networks.registry import RESERVED_NAMES, networks

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST: Final = 20  # characters: the module's name is written several times on a line


@click.command("new", short_help="Write the package of a network of your own.", epilog=exit_codes("1 nothing was made"))
@click.argument("name")
@click.option(
    "--folder", metavar="FOLDER", help="Where to.  [default: policenotify-NAME here]", shell_complete=completion.files
)
@common
@pass_call
def new(call: CliContext, /, *, name: str, folder: str | None) -> Exit:
    """Write the package of a network of your own: it builds, is typed, and keeps the contract as it stands.

    It speaks JSON to a server that nobody has: put your network's words in
    their place, and let its tests say what is still missing.

    \b
    Examples:
      policenotify networks new radio
      policenotify networks new radio --folder radio
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    check_name(name)
    place = Path(folder or f"policenotify-{name}").expanduser()
    written = write(name, place)
    [network] = (place / one for one in written if one.endswith("__init__.py"))
    steps = [
        f"Try what is there: cd {place} && uv run pytest",
        f"Put your network's words in place of ours: {network}",
        f"Install it beside policenotify: pip install {place if place.is_absolute() else f'./{place}'}",
    ]
    made = [output.line(f"  {place / one}") for one in written]
    to_do = [output.paragraph(step, f"{number}. ") for number, step in enumerate(steps, 1)]
    document = {"written": [str(place / one) for one in written], "next": steps}
    call.emit(document, Text("Made:", style="bold"), *made, Text("Next:", style="bold"), *to_do)
    return Exit.OK


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a new network: it is also an option's value, an extra and half a module's name.

    Raises:
        SettingsError: It cannot; the text names the nearest that can.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        near = _near(name)
        hint = f" Did you mean {near!r}?" if near else ""
        raise SettingsError(
            f"{name!r} is no name for a network: write 1 to {_LONGEST} of a-z, 0-9 and single hyphens, beginning with "
            f"a letter.{hint}"
        )
    if name in RESERVED_NAMES:
        raise SettingsError(
            f"{name!r} is a command of `policenotify networks`. Name the network otherwise: 'my-{name}'."
        )
    if known := next((one for one in networks() if one.name == name), None):
        raise SettingsError(
            f"{name!r} is a network of the package {known.package!r}, which is installed here; a name that two "
            f"packages claim is refused. Name yours otherwise: 'my-{name}'."
        )


def _near(name: str) -> str:
    """The nearest name that can be one; empty: there is none."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).lstrip("-0123456789")[:_LONGEST].rstrip("-")


def write(name: str, place: Path) -> tuple[str, ...]:
    """Write the package, whole or not at all.

    Args:
        name: The network's.
        place: The folder; it may be there, if it is empty.

    Returns:
        What was written, below the folder.

    Raises:
        SettingsError: Something is there already, or it cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - no other call here wants it

    module = f"policenotify_{name.replace('-', '_')}"
    files = {
        "pyproject.toml": "pyproject.toml.j2",
        "README.md": "README.md.j2",
        ".gitignore": "gitignore.j2",
        f"src/{module}/py.typed": "",
        f"src/{module}/__init__.py": "network.py.j2",
        f"tests/test_{module.removeprefix('policenotify_')}.py": "test.py.j2",
    }
    words = {
        "name": name,
        "module": module,
        "title": " ".join(part.capitalize() for part in name.split("-")),
        "kind": "".join(part.capitalize() for part in name.split("-")) + "Channel",  # no keyword, nothing imported
        "bound": _bound(version("policenotify")),
    }
    skeleton = Environment(  # noqa: S701 - no HTML is made
        loader=PackageLoader("policenotify.cli", "skeleton"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    target = place.resolve()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise SettingsError(
                f"{place} is there already, and is not empty. Nothing was written: give another --folder."
            )
        if not target.parent.is_dir():
            raise SettingsError(f"There is no folder {target.parent}. Nothing was written: make it first.")
        try:
            for file, template in files.items():
                path = draft / file
                path.parent.mkdir(parents=True, exist_ok=True)
                text = skeleton.get_template(template).render(words) if template else ""
                path.write_text(text, encoding="utf-8")
            draft.replace(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise SettingsError(f"{place} cannot be written ({error.strerror}). Nothing was written.") from error
    return tuple(files)


def _bound(ours: str) -> str:
    """The releases that an outside package works with: this one, until the first number that is not 0 changes."""
    major, minor = map(int, re.findall(r"\d+", ours)[:2])
    return f">={major}.{minor},<{major + 1 if major else f'0.{minor + 1}'}"
