"""Wrong usage, worded for officers: click's own errors hold plain texts, ours the text and its language."""

from __future__ import annotations

from typing import Any

import click

from policenotify.translation import AnyText


class UsageError(click.UsageError):
    """The command cannot be used like this. Nothing was done."""

    def __init__(self, text: AnyText, ctx: click.Context | None = None) -> None:
        super().__init__(str(text), ctx)
        self.text = text


class BadParameter(click.BadParameter):
    """The value of an option or argument cannot be used. Nothing was done."""

    def __init__(self, text: AnyText, **place: Any) -> None:  # noqa: ANN401 - context, parameter and hint, as click has them
        super().__init__(str(text), **place)
        self.text = text
