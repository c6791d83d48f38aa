"""`policenotify feed`: draw a feed again from its items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import click

from policenotify.channel import ChannelConfig
from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.errors import ChannelError, SettingsError
from policenotify.journal.clock import SystemClock
from policenotify.networks.registry import NoStateStore
from policenotify.settings import Settings, channels_of
from policenotify.translation import AnyText, Text
from policenotify.validation import did_you_mean


@runtime_checkable
class _Feed(Protocol):
    """A channel that draws files from its items."""

    def rebuild(self) -> Sequence[str]: ...

    def close(self) -> None: ...


@click.group("feed", epilog=exit_codes("1 settings wrong; 3 a folder cannot be written"))
@common
def feed() -> None:
    """Maintain the channels on the network `feed`.

    \b
    Examples:
      policenotify feed rebuild
    """


@feed.command(
    "rebuild",
    short_help="Write all files of a feed again.",
    epilog=exit_codes("1 settings wrong; 3 a folder cannot be written"),
)
@click.argument("channel", required=False, shell_complete=completion.channels)
@common
@pass_context
def rebuild(call: CliContext, channel: str | None) -> Exit:
    """Write all files of a feed again from its items: of one CHANNEL or of all feeds.

    The journal is not needed. Only files whose content has changed are written. Run it after an update of policenotify,
    after a restore, and from a timer, so that ended incidents leave the feeds on a quiet day, too.

    \b
    Examples:
      policenotify feed rebuild
      policenotify feed rebuild alertes --json
    """
    settings = call.read_settings()
    changed: dict[str, list[str]] = {}
    problems: dict[str, AnyText] = {}
    for config in _feeds(settings, channel):
        try:
            changed[config.name] = _rebuilt(config)
        except ChannelError as error:
            problems[config.name] = error.text
    lines = [output.line(f"{name}  {path}") for name, paths in changed.items() for path in paths]
    lines += [
        output.prose(
            Text.counted(
                "{count} file of {name} has changed.",
                "{count} files of {name} have changed.",
                count=len(paths),
                name=name,
            )
        )
        for name, paths in changed.items()
    ]
    lines += [
        output.prose(Text("{name} could not be written: {problem}", name=name, problem=problem))
        for name, problem in problems.items()
    ]
    call.emit(
        {"changed": changed, "problems": problems},
        *(lines or [output.prose(Text("No channel is on the network 'feed'."))]),
    )
    return Exit.ATTENTION if problems else Exit.OK


def _feeds(settings: Settings, channel: str | None) -> Iterator[ChannelConfig]:
    if channel is not None and channel not in settings.channels:
        raise SettingsError(
            Text(
                "{channel!r} is not a channel. {did_you_mean}",
                channel=channel,
                did_you_mean=did_you_mean(channel, settings.channels),
            )
        )
    for config in channels_of(settings, tolerant=True):
        if config.network == "feed" and channel in {None, config.name}:
            if config.blocked:
                raise SettingsError(config.blocked)
            yield config
        elif config.name == channel:
            raise SettingsError(
                Text(
                    "The channel {channel!r} is on {network!r}, which writes no files.",
                    channel=channel,
                    network=config.network,
                )
            )


def _rebuilt(config: ChannelConfig) -> list[str]:
    channel = config.open(SystemClock(), NoStateStore())
    try:
        return list(channel.rebuild()) if isinstance(channel, _Feed) else []
    finally:
        channel.close()
