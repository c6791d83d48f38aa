"""The options of a message, the field that each sets, and its completion."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import click

from policenotify.cli import completion
from policenotify.cli.context import Seconds
from policenotify.cli.usage import UsageError
from policenotify.cli.words import Word
from policenotify.model.cap import Severity
from policenotify.translation import Text

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_Command = TypeVar("_Command", bound=Callable[..., Any])

Typed: TypeAlias = Mapping[str, Any]
"""What was typed, by the names of a command's parameters."""

OPTIONS = {
    "headline": "--headline",
    "category": "--category",
    "severity": "--severity",
    "description": "--description",
    "instruction": "--instruction",
    "known.confirmed": "--known",
    "known.unconfirmed": "--not-known",
    "source": "--source",
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
    "location.between": "--between",
    "location.line": "--line",
    "location.label": "--label",
    "location.point": "--point",
    "location.polyline": "--polyline",
    "location.road": "--road",
    "location.road.road": "--road",
    "location.road.direction": "--direction",
    "lifecycle.incident": "--incident",
    "lifecycle.follows": "--follows",
    "lifecycle.stage": "--standalone",
}
"""The option that sets a field of the message, by the field's path."""

_FIELDS = {option: field for field, option in OPTIONS.items()} | {"--image": "images", "--road": "location.road"}


class FileOrDraft(click.File):
    """A file, or the id of a draft (a ULID), which stays a text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - click's own signature
        """Return the opened file, or the id."""
        return value if isinstance(value, str) and _ULID.fullmatch(value) else super().convert(value, param, ctx)


def option_of(field: str) -> str:
    """Return the option that sets a field (`images[0].alt`), or an empty text."""
    path = re.sub(r"\[\d+\]", "", field)
    while path and path not in OPTIONS:
        path = path.rpartition(".")[0]
    return OPTIONS.get(path, "")


def option_label(option: str) -> str:
    """Return an option with the field that it sets: `--starts (starts_at)`."""
    field = _FIELDS.get(option, "")
    return f"{option} ({field})" if field else option


def single_value(*names: str, **attributes: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401 - click's own arguments
    """Return a decorator for an option that is given once. Of two, click takes the last."""
    return click.option(*names, multiple=True, callback=_only, **attributes)


def _only(_context: click.Context, parameter: click.Parameter, values: tuple[Any, ...]) -> object:
    if len(values) > 1:
        raise UsageError(
            Text(
                "{option_label} is given {values_count} times. Give it once.",
                option_label=option_label(parameter.opts[0]),
                values_count=len(values),
            )
        )
    return values[0] if values else None


_MESSAGE = (
    single_value("--description", metavar="TEXT", help="More about it."),
    single_value("--instruction", metavar="TEXT", help="What readers should do, in the imperative."),
    single_value(
        "--commune",
        metavar="COMMUNE",
        help="INSEE code (34172), or a name that only one commune has.",
    ),
    single_value(
        "--department",
        metavar="CODE",
        help="34, 2A, 974: alone, or to distinguish communes of one name.",
    ),
    single_value("--street", metavar="TEXT", help="Without a house number."),
    single_value("--district", metavar="TEXT", help="Quartier Gambetta."),
    single_value("--road", metavar="ROAD", help="A9, N113, D612E7."),
    single_value("--direction", metavar="TEXT", help="Direction on the road: Béziers → Montpellier."),
    single_value("--between", nargs=2, metavar="A B", help="Two cross-streets, exits or stops."),
    single_value("--line", metavar="TEXT", help="Line of public transport: ligne 1 du tramway."),
    single_value("--label", metavar="TEXT", help="The place in your own words, instead of street and road."),
    single_value("--point", metavar="LAT,LON", help="WGS 84, decimal degrees."),
    single_value(
        "--polyline",
        metavar="LINE",
        help="The closed stretch: 'LAT,LON LAT,LON …', or a GeoJSON file.",
        shell_complete=completion.files,
    ),
    single_value("--known", metavar="TEXT", help="What is established, in one sentence."),
    single_value("--not-known", metavar="TEXT", help="What readers ask and is not known yet."),
    single_value("--source", metavar="TEXT", help="The author of what you relay: Météo-France."),
    single_value(
        "--severity",
        type=Word([str(level) for level in Severity]),
        metavar="LEVEL",
        help=f"{', '.join(Severity)}.  [default: the category's]",
    ),
    single_value("--starts", metavar="TIME", help="Since or from when; for an end, when it was over."),
    single_value("--expires", metavar="TIME", help="Nothing is sent after this time."),
    single_value("--next-update", metavar="TIME", help="When the next update follows."),
    single_value("--link", metavar="URL", help="A page with more."),
    click.option(
        "--image",
        "images",
        metavar="FILE",
        multiple=True,
        help="A picture; each with its --alt.",
        shell_complete=completion.files,
    ),
    click.option("--alt", "alts", metavar="TEXT", multiple=True, help="What the picture shows, in the same order."),
    click.option("--hashtag", "hashtags", metavar="WORD", multiple=True, help="One more hashtag; may be repeated."),
    click.option(
        "--basis",
        "bases",
        metavar="WHO[:REFERENCE]",
        multiple=True,
        help="Who agreed: prosecutor (parquet), guardian, family or consent, and its reference; may be repeated.",
    ),
    single_value("--language", metavar="TAG", help="Language of your texts: fr, oc, pt-BR.  [default: fr]"),
    single_value(
        "--file",
        "from_file",
        type=click.File("rb"),
        metavar="FILE",
        help="The message, or more of its fields, as JSON; - is standard input.",
    ),
)
_OPENING = (
    single_value(
        "--category",
        metavar="CODE",
        help="fire, incendie, traffic_accident, scam_cyber …",
        shell_complete=completion.categories,
    ),
    single_value("--headline", metavar="TEXT", help="What happens, in one line."),
    single_value("--incident", metavar="ID", help="Open an incident with this id.  [default: a new id]"),
    single_value(
        "--follows",
        metavar="ID",
        help="The earlier incident whose danger has returned.",
        shell_complete=completion.ended_incidents,
    ),
    click.option("--standalone", is_flag=True, help="Open no incident, whatever the category."),
    click.option("--exercise", is_flag=True, help="Mark it as an exercise, only for exercise channels."),
)
_DELIVERY = (
    single_value("--key", metavar="KEY", help="Your name for it: one key publishes once.  [default: by content]"),
    single_value("--wait", type=Seconds(min=0), metavar="SECONDS", help="How long to wait for the networks."),
    click.option("--draft", is_flag=True, help="Store it as a draft instead of publishing it."),
    click.option("--submit", is_flag=True, help="Submit it to its readers instead of publishing it."),
    single_value(
        "--revises",
        metavar="DRAFT",
        help="Store it as a new version of this draft.",
    ),
    single_value("--reason", metavar="TEXT", help="A word to its readers, with --submit."),
    single_value("--urgent", metavar="REASON", help="Publish it before others have read it, and why."),
)


def followup_options(command: _Command) -> _Command:
    """Add the options of a message that follows an opening."""
    return _with(_MESSAGE, command)


def opening_options(command: _Command, kind: click.File | None = None) -> _Command:
    """Add the options of an opening or standalone message, and its JSON file, of another *kind* of argument."""
    file = click.argument("file", required=False, type=kind or click.File("rb"))
    return file(_with(_OPENING, followup_options(command)))


def publish_options(command: _Command) -> _Command:
    """Add the options of `publish`, whose argument may also be a draft."""
    return opening_options(command, FileOrDraft("rb"))


def delivery_options(command: _Command) -> _Command:
    """Add the options of publishing."""
    return _with(_DELIVERY, command)


def to_option(command: _Command) -> _Command:
    """Add the option for channels instead of routes."""
    more = "A channel or tag, instead of the routes; may be repeated."
    option: _Command = click.option(
        "--to", multiple=True, metavar="NAME", help=more, shell_complete=completion.channels_and_tags
    )(command)
    return option


def reopen_option(command: _Command) -> _Command:
    """Add the option of the correction of an end."""
    option: _Command = click.option("--reopen", is_flag=True, help="Correct a wrong end: the incident goes on.")(
        command
    )
    return option


def _with(options: tuple[Callable[[_Command], _Command], ...], command: _Command) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command
