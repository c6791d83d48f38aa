"""The options that make a message, the field that each of them sets, and how each is completed."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from policenotify.cli import completion
from policenotify.cli.context import Seconds
from policenotify.model.cap import Severity

_Command = TypeVar("_Command", bound=Callable[..., Any])

OPTIONS = {
    "headline": "--headline",
    "category": "--category",
    "severity": "--severity",
    "description": "--description",
    "instruction": "--instruction",
    "starts_at": "--starts",
    "expires_at": "--expires",
    "next_update_at": "--next-update",
    "link": "--link",
    "images": "--image",
    "images.path": "--image",
    "images.alt": "--alt",
    "hashtags": "--hashtag",
    "language": "--language",
    "exercise": "--exercise",
    "location.commune": "--commune",
    "location.department": "--department",
    "location.street": "--street",
    "location.district": "--district",
    "location.label": "--label",
    "location.point": "--point",
    "location.road": "--road",
    "location.road.road": "--road",
    "location.road.direction": "--direction",
    "lifecycle.incident": "--incident",
    "lifecycle.follows": "--follows",
    "lifecycle.stage": "--standalone",
}
"""The option that sets a field of the message, by the field's path."""

_FIELDS = {option: field for field, option in OPTIONS.items()} | {"--image": "images", "--road": "location.road"}


class OneOf(click.Choice[str]):
    """One of some words; another one is met with the nearest."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:  # noqa: ANN401, ARG002 - click's own signature
        """What is wrong with it, and what was meant."""
        words = {word.casefold(): word for word in self.choices}
        near = [words[one] for one in get_close_matches(str(value).casefold(), words, n=1)]
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"{value!r} is none of {', '.join(self.choices)}.{hint}"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's own signature
        param: click.Parameter,  # noqa: ARG002 - likewise
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """The words that begin so, as they are to be written."""
        begun = incomplete.casefold()
        return [CompletionItem(word) for word in self.choices if word.casefold().startswith(begun)]


def option_of(field: str) -> str:
    """The option that sets a field, given by its path (`images[0].alt`); empty: no option does."""
    path = re.sub(r"\[\d+\]", "", field)
    while path and path not in OPTIONS:
        path = path.rpartition(".")[0]
    return OPTIONS.get(path, "")


def both(option: str) -> str:
    """An option with the field that it sets: `--starts (starts_at)`; an error is told in both forms."""
    field = _FIELDS.get(option, "")
    return f"{option} ({field})" if field else option


def once(*names: str, **how: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401 - click's own arguments
    """An option that is given once: of two, click would silently take the last."""
    return click.option(*names, multiple=True, callback=_only, **how)


def _only(_context: click.Context, parameter: click.Parameter, given: tuple[Any, ...]) -> object:
    if len(given) > 1:
        raise click.UsageError(f"{both(parameter.opts[0])} is given {len(given)} times. Give it once.")
    return given[0] if given else None


def file_option(command: _Command) -> _Command:
    """The option for a message from a JSON file."""
    more = "The message, or more of its fields, as JSON; - is standard input."
    option: _Command = once("--file", "from_file", type=click.File("rb"), metavar="FILE", help=more)(command)
    return option


_COMMON = (
    once("--description", metavar="TEXT", help="More about it."),
    once("--instruction", metavar="TEXT", help="What readers should do, in the imperative."),
    once(
        "--commune",
        metavar="COMMUNE",
        help="INSEE code (34172), or a name that only one has.",
        shell_complete=completion.communes,
    ),
    once(
        "--department",
        metavar="CODE",
        help="34, 2A, 974: alone, or to tell communes of one name apart.",
        shell_complete=completion.departments,
    ),
    once("--street", metavar="TEXT", help="Without a house number."),
    once("--district", metavar="TEXT", help="Quartier Gambetta."),
    once("--road", metavar="ROAD", help="A9, N113, D612E7."),
    once("--direction", metavar="TEXT", help="On the road: Béziers → Montpellier."),
    once("--label", metavar="TEXT", help="The place in your own words, instead of street and road."),
    once("--point", metavar="LAT,LON", help="WGS 84, decimal degrees."),
    once(
        "--severity",
        type=OneOf([str(one) for one in Severity], case_sensitive=False),
        metavar="LEVEL",
        help=f"{', '.join(Severity)}.  [default: as the category has it]",
    ),
    once("--starts", metavar="TIME", help="Since or from when; of an end, when it was over."),
    once("--expires", metavar="TIME", help="Nothing of it is sent after that."),
    once("--next-update", metavar="TIME", help="When you will say more."),
    once("--link", metavar="URL", help="A page with more."),
    click.option(
        "--image",
        "images",
        metavar="FILE",
        multiple=True,
        help="A picture; each with its --alt.",
        shell_complete=completion.files,
    ),
    click.option("--alt", "alts", metavar="TEXT", multiple=True, help="What the picture shows, in the same order."),
    click.option("--hashtag", "hashtags", metavar="WORD", multiple=True, help="One more; may be repeated."),
    once("--language", metavar="TAG", help="Of your words: fr, oc, pt-BR.  [default: fr]"),
    file_option,
)
_FIRST = (
    click.argument("file", required=False, type=click.File("rb")),
    once(
        "--category",
        metavar="CODE",
        help="traffic_accident, fire, scam_cyber …",
        shell_complete=completion.categories,
    ),
    once("--headline", metavar="TEXT", help="What happens, in one line."),
    once("--incident", metavar="ID", help="Opens an incident of this id.  [default: a new id]"),
    once(
        "--follows",
        metavar="ID",
        help="The earlier incident whose danger has returned.",
        shell_complete=completion.ended_incidents,
    ),
    click.option("--standalone", is_flag=True, help="Open no incident, whatever the category."),
    click.option("--exercise", is_flag=True, help="It is an exercise: only to channels for exercises."),
)
_HOW = (
    once("--key", metavar="KEY", help="Your name for it: one key publishes once.  [default: by content]"),
    once("--wait", type=Seconds(min=0), metavar="SECONDS", help="How long to wait for networks."),
)


def following(command: _Command) -> _Command:
    """The options for what is said after an opening."""
    return _with(_COMMON, command)


def beginning(command: _Command) -> _Command:
    """The options for a first message, and the argument for its JSON file."""
    return _with(_FIRST, following(command))


def how(command: _Command) -> _Command:
    """The options for how it is published."""
    return _with(_HOW, command)


def to_option(command: _Command) -> _Command:
    """The option for channels instead of routes."""
    more = "A channel or tag, instead of the routes; may be repeated."
    option: _Command = click.option(
        "--to", multiple=True, metavar="NAME", help=more, shell_complete=completion.channels_and_tags
    )(command)
    return option


def _with(options: tuple[Callable[[_Command], _Command], ...], command: _Command) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command
