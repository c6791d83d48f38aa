"""One call of the command line: what every command is given, and how it answers."""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from policenotify.journal.journal import Journal
    from policenotify.publishing.publisher import Publisher
    from policenotify.settings import Settings

SETTINGS_VARIABLE = "POLICENOTIFY_SETTINGS"
"""As `policenotify.settings.loader` has it, which help and completion have no time to import."""

ACTOR_VARIABLE = "POLICENOTIFY_ACTOR"
"""The environment variable that says who acts, where `--actor` does not."""

_LONGEST_WAIT = 604_800  # seconds: a clock that is asked for more would run over its years
_LONGEST_NAME = 200  # characters of a key or an actor, as the journal's columns have them
# Control characters but tab and line feed: a network's answer must not move the officer's cursor.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Seconds(click.FloatRange):
    """Seconds of waiting: `nan` passes every range, and what is endless is no moment to wait for."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own signature
        """The number that was typed."""
        seconds = float(super().convert(value, param, ctx))
        if not seconds <= _LONGEST_WAIT:
            self.fail(f"{value!r} is no number of seconds up to {_LONGEST_WAIT}, a week.", param, ctx)
        return seconds


@dataclass(slots=True, kw_only=True)
class CliContext:
    """One call of the command line.

    Attributes:
        settings: The settings file; `None`: as `read_settings` finds it.
        json: Answer with one JSON document.
        debug: Show the trace of what is unexpected.
        acting: Who acts, as `--actor` has it.
        command: Name of the command.
        begun: Something may have been published from now on.
    """

    settings: str | None = None
    json: bool = False
    debug: bool = False
    acting: str | None = None
    command: str = ""
    begun: bool = False

    @property
    def actor(self) -> str:
        """Who acts: `--actor`, else the environment, else the login name.

        Raises:
            click.UsageError: Nobody can be named.
        """
        named = self.acting or os.environ.get(ACTOR_VARIABLE)
        if named:
            return printable_name("--actor", named)
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError):  # a container without a name for its user
            raise click.UsageError(f"Say who you are: --actor NAME, or the variable {ACTOR_VARIABLE}.") from None

    def publisher(self) -> Publisher:
        """Open the installation's publisher; to be closed."""
        from policenotify.settings import open_publisher  # noqa: PLC0415 - help and completion need none

        return open_publisher(self.settings)

    @contextmanager
    def journal(self, *, patience: int | None = None) -> Iterator[tuple[Settings, Journal]]:
        """Open the installation's journal alone: no channel, whose settings may just be what is wrong.

        Args:
            patience: Seconds for which its server is waited for; `None`: the usual.
        """
        from policenotify.journal import open_journal  # noqa: PLC0415 - help and completion need none of these
        from policenotify.journal.keys import Keys  # noqa: PLC0415 - likewise
        from policenotify.settings import read_settings  # noqa: PLC0415 - likewise

        settings = read_settings(self.settings, tolerant=True)
        journal = open_journal(settings.journal_url, keys=Keys.load(settings.keys_path), timeout=patience)
        try:
            yield settings, journal
        finally:
            journal.close()

    def emit(self, document: Mapping[str, object], *page: RenderableType) -> None:
        """Answer: the document where JSON is wanted, else the page."""
        from policenotify.cli.console import out, printed  # noqa: PLC0415 - brings rich

        out(json.dumps(document, ensure_ascii=False, indent=2) if self.json else printed(page))

    def answer(self, document: Mapping[str, object], text: str) -> None:
        """Answer with a text for another program: a script, a schema; or with the document where JSON is wanted."""
        click.echo(json.dumps(document, ensure_ascii=False, indent=2) + "\n" if self.json else text, nl=False)


def plain(text: str) -> str:
    """A text that moves no cursor, whoever wrote it."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def printable_name(option: str, value: str) -> str:
    """A key or an actor.

    Raises:
        click.UsageError: It is empty, too long or holds what cannot be printed.
    """
    if not value.strip() or len(value) > _LONGEST_NAME or not value.isprintable():
        raise click.UsageError(f"{option} needs 1 to {_LONGEST_NAME} printable characters.")
    return value


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    if value and parameter.name:
        setattr(context.ensure_object(CliContext), parameter.name, value)


def _option(*names: str, **how: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401 - click's own arguments
    return click.option(*names, expose_value=False, callback=_remember, **how)


_COMMON = (
    _option("--debug", is_flag=True, help="Show the trace of what is unexpected."),
    _option("--json", is_flag=True, help="Answer with one JSON document, errors too."),
    _option("--actor", "acting", metavar="NAME", help=f"Who acts.  [env {ACTOR_VARIABLE}; default: your login]"),
    _option(
        "--settings", metavar="FILE", help=f"The settings.  [env {SETTINGS_VARIABLE}; default: policenotify.toml here]"
    ),
)


def common(command: _Command) -> _Command:
    """The options that every command has; they may also stand before its name."""
    for option in _COMMON:
        command = option(command)
    return command


pass_call = click.make_pass_decorator(CliContext, ensure=True)
"""Hand a command its `Call`."""
