"""How a page is printed: never wider than is easily read, without colour where there is no terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.text import Text

_COLUMNS = 80  # panels and paragraphs are never wider: longer lines are hard to read


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The reader has gone (`policenotify status | head`); the exit code is still to be told."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console() -> _Console:
    return _Console(highlight=False, markup=False, emoji=False)


def printed(page: Iterable[RenderableType]) -> str:
    """A page as it is to stand on the terminal, or in a pipe."""
    console = _console()
    console.width = min(console.width, _COLUMNS)
    with console.capture() as captured:
        for part in page:
            # What must not be broken (an address to copy) may be longer than the line.
            console.print(part, soft_wrap=isinstance(part, Text) and bool(part.no_wrap))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def out(text: str) -> None:
    """Print a text as it is."""
    _console().out(text, highlight=False)
