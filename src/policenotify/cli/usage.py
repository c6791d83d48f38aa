"""Wrong usage, worded for officers: click's own errors hold plain texts, ours the text and its language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from policenotify.translation import AnyText, Text, quoted, text_of

_FILE = re.compile(r"'(.*)': ([^:]+)")  # of click's own type of files


class UsageError(click.UsageError):
    """The command cannot be used like this. Nothing was done."""

    def __init__(self, text: AnyText, ctx: click.Context | None = None) -> None:
        super().__init__(str(text), ctx)
        self.text = text


def usage_text(error: click.ClickException) -> AnyText:  # noqa: PLR0911 - one for each error of click
    """Return the text of an error of wrong usage. Those of click have the attributes from which it makes its own."""
    own = getattr(error, "text", error.message)
    match error:
        case click.MissingParameter(param=click.Argument() as param):
            return Text("Missing argument '{name}'.", name=param.human_readable_name)
        case click.MissingParameter(param=click.Parameter() as param):
            return Text("Missing option '{name}'.", name=" / ".join(param.opts))
        case click.NoSuchOption():
            text = Text("No such option {option!r}.", option=error.option_name)
            near = error.possibilities or ()
            return Text.join(" ", (text, Text("Did you mean {names}?", names=", ".join(near)) if near else ""))
        case click.BadOptionUsage():
            return Text("Option {option!r} is used wrongly: {problem}", option=error.option_name, problem=own)
        case click.BadParameter():
            if isinstance(own, str) and (file := _FILE.fullmatch(own)):
                name, problem = file.groups()
                own = Text("{file}: {problem}", file=quoted(name), problem=Text.word(problem))
            place = error.param_hint or (error.param.get_error_hint(error.ctx) if error.param else None)
            if not place:
                return Text("Invalid value: {problem}", problem=own)
            several = (place,) if isinstance(place, str) else place
            names = Text.join(" / ", [quoted(name.strip("'")) if name.startswith("'") else name for name in several])
            return Text("Invalid value for {names}: {problem}", names=names, problem=own)
        case _:
            return own if isinstance(own, Text) else error.format_message()


@contextmanager
def typed_reason() -> Iterator[None]:
    """Report a reason that is too short as a wrong option."""
    try:
        yield
    except ValueError as error:
        text = text_of(error)
        if type(error) is not ValueError or not isinstance(text, Text):  # of another kind, or not about what was typed
            raise
        if "name" in (args := dict(text.args)):
            text = text.filled(**{**args, "name": f"--{str(args['name']).replace('_', '-')}"})
        raise UsageError(Text("{text}.", text=text)) from None


class BadParameter(click.BadParameter):
    """The value of an option or argument cannot be used. Nothing was done."""

    def __init__(self, text: AnyText, **place: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(str(text), **place)
        self.text = text
