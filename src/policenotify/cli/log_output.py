"""Where the log of a command goes: standard error, as text or JSON."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from policenotify.log import LOGGER, JsonFormatter, TextFormatter

_FORMATTERS = {"text": TextFormatter, "json": JsonFormatter}


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at that time."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


@contextmanager
def logged(form: str, level: str) -> Iterator[None]:
    """Write the log to standard error.

    Args:
        form: `text` or `json`.
        level: The least level of our own records. Of other libraries only warnings and errors are mentioned.
    """
    handler, root, logger = _StandardError(), logging.getLogger(), logging.getLogger(LOGGER)
    handler.setFormatter(_FORMATTERS[form]())
    before = logger.level
    root.addHandler(handler)
    logger.setLevel(level.upper())
    try:
        yield
    finally:
        root.removeHandler(handler)
        logger.setLevel(before)
