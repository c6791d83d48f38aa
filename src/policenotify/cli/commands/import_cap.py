"""`policenotify import-cap`."""

from __future__ import annotations

from typing import BinaryIO

import click

from policenotify.cli import completion, output
from policenotify.cli.commands.draft import draft_lines
from policenotify.cli.context import CliContext, command
from policenotify.cli.message import category_words
from policenotify.cli.options import single_value
from policenotify.cli.output import Part
from policenotify.cli.words import code_of
from policenotify.formats.cap.reader import MAX_BYTES
from policenotify.publishing.alerts import import_alert
from policenotify.translation import Text


@command("import-cap", exits="1 nothing was stored; 6 no journal")
@click.argument("alert", type=click.File("rb"), metavar="FILE")
@single_value("--category", metavar="CODE", help="The category.", shell_complete=completion.categories)
def import_cap(call: CliContext, /, *, alert: BinaryIO, category: str | None) -> None:
    """Store a CAP 1.2 alert of another service as a draft.

    Nothing is sent. Read the draft, then submit or publish it. The same alert has the same draft. An update, end or
    cancellation finds the incident of the alert that it names. FILE - is standard input.

    \b
    Examples:
      policenotify import-cap vigilance.xml
      curl -s https://alertes.example/4711.xml | policenotify import-cap -
    """
    content = alert.read(MAX_BYTES)
    settings = call.read_settings()
    with call.publisher() as publisher:
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
