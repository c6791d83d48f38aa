"""The command line, for officers, scripts, timers and technicians."""

from __future__ import annotations

import atexit
import gc
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from types import FrameType
from typing import NoReturn

_REQUIRED = ("click", "rich")
_MISSING = "policenotify's command line needs an extra: pip install 'policenotify[cli]'\n"
_OBJECTS = 1_000_000  # made between two collections: imports make many, and nearly all of them stay
_USUAL = gc.get_threshold()
_interrupts: list[int] = []


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with an [`Exit`][policenotify.cli.exit_codes.Exit] code."""
    _interrupts.clear()  # of an earlier command in this process
    with suppress(ValueError):  # only the main thread may set a handler
        _set_handlers()
    _open_closed_streams()
    _use_utf8()
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)  # an exiting process needs no last collection
    # Pydantic would read the metadata of all installed packages for plugins, which only watch validations.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if any(find_spec(name) is None for name in _REQUIRED):
        sys.stderr.write(_MISSING)
        sys.exit(2)
    from policenotify.cli.app import run

    sys.exit(run([_decoded(arg) for arg in (sys.argv[1:] if args is None else args)]))


def _set_handlers() -> None:
    if os.getpid() == 1:  # in a container: the kernel hands process 1 no signal that it has no handler for
        from policenotify.delivery.service import end_at_once

        signal.signal(signal.SIGTERM, end_at_once)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it may be ignored, as in the background
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _interrupts.append(number)
    signal.default_int_handler(number, frame)


def end_if_interrupted() -> None:
    """Raise a Ctrl-C again that was lost: imports ignore it in callbacks of Python and in pydantic's own code.

    Raises:
        KeyboardInterrupt: There was one.
    """
    if _interrupts:
        raise KeyboardInterrupt


def collect_garbage_as_usual() -> None:
    """Let a command that runs for long collect garbage as other programs do."""
    gc.set_threshold(*_USUAL)


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
