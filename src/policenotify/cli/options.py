"""The options of a message, the field that each sets, and its completion."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final, TypeAlias, TypeVar

import click

from policenotify.cli import completion
from policenotify.cli.usage import BadParameter, UsageError
from policenotify.cli.words import Word
from policenotify.model.cap import Severity
from policenotify.translation import Text

_LONGEST_WAIT = 604_800  # seconds; `datetime` overflows on a wait of millions of years
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_Command = TypeVar("_Command", bound=Callable[..., Any])

Typed: TypeAlias = Mapping[str, Any]
"""What was typed, by the names of a command's parameters."""

OPTIONS: dict[str, str] = {"lifecycle.stage": "--standalone", "exercise": "--exercise"}
"""The option that sets a field of the message, by the field's path. The options below add theirs."""


class Seconds(click.FloatRange):
    """A number of seconds up to a week. `nan`, which passes every range, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own signature
        """Return the typed number."""
        seconds = float(super().convert(value, param, ctx))
        if not seconds <= _LONGEST_WAIT:
            raise BadParameter(
                Text(
                    "{value!r} is not a number of seconds up to {longest_wait}, a week.",
                    value=value,
                    longest_wait=_LONGEST_WAIT,
                ),
                param=param,
                ctx=ctx,
            )
        return seconds


FILE: Final = click.Path(readable=False)
"""A file that the shell completes. Who reads it reports, in the desk's language, that it cannot be read."""


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
    field = next((field for field, name in OPTIONS.items() if name == option), "")
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


def _sets(
    fields: str,
    option: str,
    metavar: str,
    about: str,
    values: completion.Values | None = None,
    *,
    many: str = "",
    **more: Any,  # noqa: ANN401 - click's own arguments
) -> Callable[[_Command], _Command]:
    """Return a decorator for the option that sets a field of the message; the first of *fields* names it in errors.

    One that may be repeated has its parameter's name in *many*. The *values* are for its completion.
    """
    OPTIONS.update(dict.fromkeys(fields.split(), option))
    attributes = {"metavar": metavar, "help": about, "shell_complete": values, **more}
    return click.option(option, many, multiple=True, **attributes) if many else single_value(option, **attributes)


_FILE = "The message, or more of its fields, as JSON; - is standard input."
_BASIS = "Who agreed: prosecutor (parquet), guardian, family or consent, and its reference; may be repeated."
_LEVELS = f"{', '.join(Severity)}.  [default: the category's]"
_PLACE = "INSEE code (34172), or a name that only one commune has."
_DEPARTMENT = "34, 2A, 974: alone, or to distinguish communes of one name."
_MESSAGE = (
    _sets("description", "--description", "TEXT", "More about it."),
    _sets("instruction", "--instruction", "TEXT", "What readers should do, in the imperative."),
    _sets("location.commune", "--commune", "COMMUNE", _PLACE),
    _sets("location.department", "--department", "CODE", _DEPARTMENT),
    _sets("location.street", "--street", "TEXT", "Without a house number."),
    _sets("location.district", "--district", "TEXT", "Quartier Gambetta."),
    _sets("location.road location.road.road", "--road", "ROAD", "A9, N113, D612E7."),
    _sets("location.road.direction", "--direction", "TEXT", "Direction on the road: Béziers → Montpellier."),
    _sets("location.between", "--between", "A B", "Two cross-streets, exits or stops.", nargs=2),
    _sets("location.line", "--line", "TEXT", "Line of public transport: ligne 1 du tramway."),
    _sets("location.label", "--label", "TEXT", "The place in your own words, instead of street and road."),
    _sets("location.point", "--point", "LAT,LON", "WGS 84, decimal degrees."),
    _sets(
        "location.polyline",
        "--polyline",
        "LINE",
        "The closed stretch: 'LAT,LON LAT,LON …', or a GeoJSON file.",
        type=FILE,
    ),
    _sets("known.confirmed", "--known", "TEXT", "What is established, in one sentence."),
    _sets("known.unconfirmed", "--not-known", "TEXT", "What readers ask and is not known yet."),
    _sets("source", "--source", "TEXT", "The author of what you relay: Météo-France."),
    _sets("severity", "--severity", "LEVEL", _LEVELS, type=Word([str(level) for level in Severity])),
    _sets("starts_at", "--starts", "TIME", "Since or from when; for an end, when it was over."),
    _sets("expires_at", "--expires", "TIME", "Nothing is sent after this time."),
    _sets("next_update_at", "--next-update", "TIME", "When the next update follows."),
    _sets("link", "--link", "URL", "A page with more."),
    _sets("images images.path", "--image", "FILE", "A picture; each with its --alt.", type=FILE, many="images"),
    _sets("images.alt", "--alt", "TEXT", "What the picture shows, in the same order.", many="alts"),
    _sets("hashtags", "--hashtag", "WORD", "One more hashtag; may be repeated.", many="hashtags"),
    _sets("basis", "--basis", "WHO[:REFERENCE]", _BASIS, many="bases"),
    _sets("language", "--language", "TAG", "Language of your texts: fr, oc, pt-BR.  [default: fr]"),
    single_value("--file", "from_file", type=click.File("rb"), metavar="FILE", help=_FILE),
)
_CODES = "fire, incendie, traffic_accident, scam_cyber …"
_EARLIER = "The earlier incident whose danger has returned."
_OPENING = (
    _sets("category", "--category", "CODE", _CODES, completion.categories),
    _sets("headline", "--headline", "TEXT", "What happens, in one line."),
    _sets("lifecycle.incident", "--incident", "ID", "Open an incident with this id.  [default: a new id]"),
    _sets("lifecycle.follows", "--follows", "ID", _EARLIER),
    click.option("--standalone", is_flag=True, help="Open no incident, whatever the category."),
    click.option("--exercise", is_flag=True, help="Mark it as an exercise, only for exercise channels."),
)
wait_option = single_value("--wait", type=Seconds(min=0), metavar="SECONDS", help="How long to wait for the networks.")
"""The option for the time of delivery."""

_DELIVERY = (
    single_value("--key", metavar="KEY", help="Your name for it: one key publishes once.  [default: by content]"),
    wait_option,
    click.option("--draft", is_flag=True, help="Store it as a draft instead of publishing it."),
    click.option("--submit", is_flag=True, help="Submit it to its readers instead of publishing it."),
    single_value("--revises", metavar="DRAFT", help="Store it as a new version of this draft."),
    single_value("--reason", metavar="TEXT", help="A word to its readers, with --submit."),
    single_value("--urgent", metavar="REASON", help="Publish it before others have read it, and why."),
)


def _all(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Return the decorator that adds several options."""
    return lambda command: reduce(lambda inner, option: option(inner), reversed(options), command)


followup_options = _all(*_MESSAGE)
"""The options of a message that follows an opening."""

opening_options = _all(click.argument("file", required=False, type=click.File("rb")), *_OPENING, *_MESSAGE)
"""The options of an opening or standalone message, and its JSON file."""

publish_options = _all(click.argument("file", required=False, type=FileOrDraft("rb")), *_OPENING, *_MESSAGE)
"""The options of `publish`, whose argument may also be a draft."""

delivery_options = _all(*_DELIVERY)
"""The options of publishing."""

to_option = click.option(
    "--to",
    multiple=True,
    metavar="NAME",
    help="A channel or tag, instead of the routes; may be repeated.",
    shell_complete=completion.channels,
)
"""The option for channels instead of routes."""

reopen_option = click.option("--reopen", is_flag=True, help="Correct a wrong end: the incident goes on.")
"""The option of the correction of an end."""
