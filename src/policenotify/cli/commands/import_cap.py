"""`policenotify import-cap`."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import click

from policenotify.cli import completion, output
from policenotify.cli.commands.draft import draft_lines
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.message import category_words
from policenotify.cli.options import single_value
from policenotify.cli.output import Part
from policenotify.cli.words import code_of
from policenotify.errors import InvalidAlert
from policenotify.formats.cap.reader import MAX_BYTES
from policenotify.networks._download import download
from policenotify.publishing.alerts import import_alert
from policenotify.translation import Text

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@click.command("import-cap", epilog=exit_codes("1 nothing was stored; 6 no journal"))
@click.argument("alert", metavar="FILE|URL")
@single_value("--category", metavar="CODE", help="The category.", shell_complete=completion.categories)
@common
@pass_context
def import_cap(call: CliContext, /, *, alert: str, category: str | None) -> Exit:
    """Store a CAP 1.2 alert of another service as a draft.

    Nothing is sent. Read the draft, then submit or publish it. The same alert has the same draft. An update, end or
    cancellation finds the incident of the alert that it names.

    \b
    Examples:
      policenotify import-cap vigilance.xml
      policenotify import-cap https://alertes.example/cap/4711.xml \\
          --category fire
    """
    content = _content(alert)
    settings = call.read_settings()
    with closing(call.publisher()) as publisher:
        language = settings.language or "fr"
        if category:
            category = code_of(category, category_words(publisher.installation.profiles), param_hint="--category")
        done = import_alert(publisher, content, actor=call.actor, category=category, language=language)
        page: list[Part] = list(draft_lines(done.draft, publisher))
        if done.known:
            page.append(output.paragraph(Text("The alert was imported before: this is its draft.")))
        for finding in done.findings:
            page += [output.paragraph(finding.reason), output.paragraph(finding.remedy, "→ ")]
        call.emit(done, *page)
    return Exit.OK


def _content(alert: str) -> bytes:
    if _ADDRESS.match(alert):
        return download(alert, limit=MAX_BYTES)
    try:
        with Path(alert).open("rb") as file:
            return file.read(MAX_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or Text("not a file name")
        raise InvalidAlert(Text("the file cannot be read ({why})", why=why)) from None
