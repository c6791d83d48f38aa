"""The command line: what the desk, a script, a timer and the technician say to policenotify from a shell."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

_NEEDED = ("click", "rich")
_MISSING = "policenotify's command line needs an extra: pip install 'policenotify[cli]'\n"


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run a command, and exit as [`Exit`][policenotify.cli.exit_codes.Exit] says.

    Args:
        args: The arguments; `None`: those of the process.
    """
    _speak_utf8()
    if any(find_spec(name) is None for name in _NEEDED):
        sys.stderr.write(_MISSING)
        sys.exit(2)
    from policenotify.cli.app import run

    sys.exit(run([_text(arg) for arg in (sys.argv[1:] if args is None else args)]))


def _speak_utf8() -> None:
    """French stays French where the locale is C or Latin-1."""
    for stream, errors in ((sys.stdin, "strict"), (sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _text(arg: str) -> str:
    """An argument that the locale could not read, as UTF-8 (PEP 383 keeps its bytes as halves of surrogate pairs)."""
    try:
        arg.encode()
    except UnicodeEncodeError:
        return arg.encode(sys.getfilesystemencoding(), "surrogateescape").decode("utf-8", "replace")
    return arg
