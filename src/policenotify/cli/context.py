"""The context of one call: its common options, what they open, and its answer."""

from __future__ import annotations

import getpass
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from policenotify.cli.documents import json_text
from policenotify.cli.exit_codes import exit_codes
from policenotify.cli.language import Context, desk_language
from policenotify.cli.usage import UsageError
from policenotify.log import LOGGER, JsonFormatter, TextFormatter
from policenotify.translation import Text, in_language

if TYPE_CHECKING:
    from policenotify.cli.output import Part
    from policenotify.delivery.event_reader import OnEvent
    from policenotify.journal.journal import Journal
    from policenotify.model.message import Message
    from policenotify.publishing.operations import Operations
    from policenotify.publishing.publisher import Publisher
    from policenotify.settings import Settings

SETTINGS_VARIABLE = "POLICENOTIFY_SETTINGS"
"""As in `policenotify.settings.loader`, which help and completion do not import."""

ACTOR_VARIABLE = "POLICENOTIFY_ACTOR"
"""The environment variable that names the actor where `--actor` does not."""

_FORMATTERS = {"text": TextFormatter, "json": JsonFormatter}
_YES = frozenset({"y", "yes", "o", "oui"})


@dataclass(slots=True, kw_only=True)
class CliContext:
    """The context of one call.

    Attributes:
        settings: The settings file; `None`: as `read_settings` finds it.
        journal_url: The path or URL of the journal of an application that runs the command. `None`: as in the settings.
        on_event: That application's callbacks; see `open_publisher`.
        acting: Who acts, by `--actor`.
        message: What the officer typed or named. An error report quotes its words.
        interrupted: A signal has ended the deliveries of this command before their end.
        may_have_published: From now on an error may have happened after something was published.
    """

    settings: str | None = None
    journal_url: str | None = field(default=None, repr=False)
    on_event: Mapping[str, OnEvent] | None = None
    json: bool = False
    debug: bool = False
    acting: str | None = None
    log: str | None = None
    log_level: str | None = None
    command: str = ""
    interrupted: bool = False
    may_have_published: bool = False
    message: Message | None = None
    _language: str = field(default="", init=False)

    @property
    def language(self) -> str:
        """The desk's language: BCP 47."""
        if not self._language:
            self._language = desk_language(self.settings)
        return self._language

    def say(self, text: object) -> str:
        """Return a text in the desk's language."""
        return in_language(text, self.language)

    @property
    def actor(self) -> str:
        """Who acts: `--actor`, else the environment, else the login name.

        Raises:
            click.UsageError: None of them names an actor, or the name cannot be printed.
        """
        named = self.acting or os.environ.get(ACTOR_VARIABLE)
        if named:
            return printable_name("--actor", named)
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError):  # a container without a name for its user
            raise UsageError(
                Text("Say who you are: --actor NAME, or the variable {actor_variable}.", actor_variable=ACTOR_VARIABLE)
            ) from None

    def read_settings(self) -> Settings:
        """Read the settings, even if those of a channel are wrong."""
        from policenotify.settings import read_settings

        return read_settings(self.settings, journal=self.journal_url)

    @contextmanager
    def publisher(self) -> Iterator[Publisher]:
        """Open the installation's publisher. The first SIGTERM or Ctrl-C ends its deliveries."""
        from policenotify.delivery.service import ended_by_signals
        from policenotify.settings import open_publisher

        publisher = open_publisher(self.settings, journal=self.journal_url, on_event=self.on_event)

        def interrupt() -> bool:
            self.interrupted = publisher.interrupt()
            return self.interrupted

        with ended_by_signals(interrupt), publisher:
            yield publisher

    @contextmanager
    def journal(self, *, patience: int | None = None) -> Iterator[tuple[Settings, Journal]]:
        """Open the settings and the journal, even if the settings of a channel are wrong.

        Args:
            patience: Seconds to wait for the journal's server; `None`: the journal's default.
        """
        from policenotify.journal import open_journal
        from policenotify.settings import may_of

        settings = self.read_settings()
        may = may_of(settings)
        journal = open_journal(settings.journal_url, keys=settings.load_keys(), timeout=patience)
        journal.may = may
        try:
            yield settings, journal
        finally:
            journal.close()

    @contextmanager
    def operations(self) -> Iterator[Operations]:
        """Open what an operator needs, even if the settings of a channel are wrong. It delivers nothing."""
        from policenotify.publishing.operations import Operations
        from policenotify.settings import SettingsFile, channels_of

        with self.journal() as (settings, journal):
            by_name = {channel.name: channel for channel in channels_of(settings)}
            yield Operations(journal, by_name, zone=settings.zone, settings=SettingsFile(settings.place))

    def emit(self, document: object, *page: Part) -> None:
        """Print a domain object as JSON if `--json` was given, else the page."""
        from policenotify.cli.output import out, printed

        out(json_text(document) if self.json else printed(page, self.say))

    @property
    def can_ask(self) -> bool:
        """True if a person at a terminal can be asked."""
        return not self.json and is_terminal()

    def ask(self, page: Iterable[Part], question: Text, *, otherwise: Text) -> None:
        """Show a page on standard error, and ask whether to go on.

        Raises:
            click.UsageError: The answer is not yes, or there is no person to ask; *otherwise* is what to do then.
        """
        from policenotify.cli.output import printed

        if not self.can_ask:
            raise UsageError(otherwise)
        note(printed(page, self.say))
        answer = click.prompt(self.say(question), default=self.say(Text("no")), err=True)
        if answer.strip().casefold() not in _YES:
            raise UsageError(Text("Nothing was done: the answer was not yes."))

    def answer(self, document: object, text: str) -> None:
        """Print a domain object as JSON if `--json` was given, else a text for another program."""
        click.echo(json_text(document) + "\n" if self.json else text, nl=False)


def is_terminal() -> bool:
    """Return True if a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def note(text: str) -> None:
    """Print a text on standard error. A full disk, or a reader that has exited, stops nothing."""
    with suppress(OSError):
        click.echo(text, err=True)


def printable_name(option: str, value: str) -> str:
    """Return a key or an actor.

    Raises:
        click.UsageError: It is empty, too long or not printable.
    """
    from policenotify.validation import LONGEST_NAME, is_name

    if not is_name(value):
        raise UsageError(
            Text("{option} needs 1 to {longest_name} printable characters.", option=option, longest_name=LONGEST_NAME)
        )
    return value


@contextmanager
def logged(form: str, level: str) -> Iterator[None]:
    """Write the log to standard error: our own records from a level on, and warnings and errors of other libraries."""
    handler, root, logger = logging.StreamHandler(), logging.getLogger(), logging.getLogger(LOGGER)
    handler.setFormatter(_FORMATTERS[form]())
    before = logger.level
    root.addHandler(handler)
    logger.setLevel(level.upper())
    try:
        yield
    finally:
        root.removeHandler(handler)
        logger.setLevel(before)


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    if value and parameter.name:
        setattr(context.ensure_object(CliContext), parameter.name, value)


def _option(*names: str, **attributes: Any) -> click.Option:  # noqa: ANN401 - click's own arguments
    return click.Option(names, expose_value=False, callback=_remember, **attributes)


_COMMON = (
    _option(
        "--settings", metavar="FILE", help=f"The settings.  [env {SETTINGS_VARIABLE}; default: policenotify.toml here]"
    ),
    _option("--actor", "acting", metavar="NAME", help=f"Who acts.  [env {ACTOR_VARIABLE}; default: your login]"),
    _option("--json", is_flag=True, help="Answer with one JSON document, errors too."),
    _option("--debug", is_flag=True, help="Show the traceback of an unexpected error."),
    _option("--log", type=click.Choice(("text", "json")), help="Form of the log on standard error."),
    _option(
        "--log-level",
        type=click.Choice(("debug", "info", "warning", "error")),
        metavar="LEVEL",
        help="Log level: debug, info, warning or error.  [default: warning]",
    ),
)
"""The options that every command has. They may also stand before its name."""


class _Common(click.Command):
    context_class = Context

    def __init__(self, *args: Any, exits: str = "", **attributes: Any) -> None:  # noqa: ANN401 - click's own arguments
        super().__init__(*args, **{"epilog": exit_codes(exits), **attributes})
        self.params += _COMMON


class Command(_Common):
    """A command with the common options. Its function is called with the `CliContext` first."""

    def invoke(self, ctx: click.Context) -> object:
        """Run it, and write the log if that was typed."""
        call = ctx.ensure_object(CliContext)
        with logged(call.log or "text", call.log_level or "warning") if call.log or call.log_level else nullcontext():
            assert self.callback is not None  # noqa: S101 - each is made of a function
            return ctx.invoke(self.callback, call, **ctx.params)


class Group(_Common, click.Group):
    """Commands under one name, with the common options."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that was typed. A typo is answered with the nearest."""
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = [Text("Did you mean {near!r}?", near=name) for name in get_close_matches(args[0], known, n=1)]
            raise UsageError(Text.join(" ", (Text("No such command {command!r}.", command=args[0]), *near)), ctx)
        return super().resolve_command(ctx, args)


def command(name: str, exits: str) -> Callable[[Callable[..., object]], Command]:
    """Return the decorator that makes a command of a function. See `exit_codes` for *exits*."""
    return click.command(name, cls=Command, exits=exits)


def group(name: str, exits: str) -> Callable[[Callable[..., object]], Group]:
    """Return the decorator that makes a group of commands of a function. See `exit_codes` for *exits*."""
    return click.group(name, cls=Group, exits=exits)
