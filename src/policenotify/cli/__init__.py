"""The command line, for officers, scripts, timers and technicians."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

_REQUIRED = ("click", "rich")
_MISSING = "policenotify's command line needs an extra: pip install 'policenotify[cli]'\n"


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with an [`Exit`][policenotify.cli.exit_codes.Exit] code.

    Args:
        args: What follows the program's name. By default what was typed. The process is then the program's own, and
            its streams and its SIGTERM are prepared. Else nothing of the process is changed.
    """
    if args is None:
        _open_closed_streams()
        _use_utf8()
        if os.getpid() == 1:  # in a container: the kernel hands process 1 no signal that it has no handler for
            signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))
    if any(find_spec(name) is None for name in _REQUIRED):
        sys.stderr.write(_MISSING)
        sys.exit(2)
    from policenotify.cli.app import run  # needs the extra

    sys.exit(run([_decoded(arg) for arg in (sys.argv[1:] if args is None else args)]))


def _open_closed_streams() -> None:
    """Replace the standard streams that the caller has closed, so that printing never ends a command.

    The number of a closed one would also go to the next file or socket.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - not closed


def _use_utf8() -> None:
    """Read and write UTF-8 even if the locale is C or Latin-1."""
    for stream, errors in ((sys.stdin, "strict"), (sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _decoded(arg: str) -> str:
    """Decode as UTF-8 what the locale could not. PEP 383 keeps such bytes as surrogates."""
    try:
        arg.encode()
    except UnicodeEncodeError:
        return arg.encode(sys.getfilesystemencoding(), "surrogateescape").decode("utf-8", "replace")
    return arg
