"""`policenotify metrics`: the metrics of the installation, for Prometheus or any monitor that reads its formats."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from policenotify.cli.context import CliContext, command
from policenotify.cli.output import replace_file
from policenotify.cli.usage import UsageError
from policenotify.errors import PolicenotifyError
from policenotify.publishing.metrics import Monitor, exposition, to_document
from policenotify.translation import Text

_READABLE = 0o644  # by the exporter, which has a user of its own; no value is confidential


@command("metrics", exits="1 settings wrong, or the file cannot be written; 6 no journal")
@click.option(
    "--textfile",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Replace a file for node_exporter at once, or remove it if there are no values; print nothing. Its name "
    "ends in .prom.",
)
def metrics(call: CliContext, /, *, textfile: Path | None) -> None:
    """Print the metrics of the installation: deliveries, delays, what waits, alarms.

    All values come from the journal, so any machine that can read it answers for
    all processes. No value and no label holds a text, an address or an incident's
    id. Run it from a timer with --textfile, or serve `policenotify.web.monitoring`.

    \b
    Examples:
      policenotify metrics
      policenotify metrics --textfile /var/lib/node-exporter/police.prom
      policenotify metrics --json | jq .policenotify_deliveries_pending
    """
    if textfile is not None and call.json:
        raise UsageError(Text("node_exporter reads the text format only: leave out --json."))
    if textfile is not None and textfile.suffix != ".prom":
        raise UsageError(Text("node_exporter reads only files whose names end in .prom."))
    try:
        with call.operations() as installation:
            found = Monitor(installation).samples()
    except PolicenotifyError:
        if textfile is not None:  # its reader would take old values for those of now, and raise no alarm
            with suppress(OSError):
                textfile.unlink(missing_ok=True)
        raise
    if call.json:
        call.answer(to_document(found), "")
    elif textfile is None:
        click.echo(exposition(found, "").content, nl=False)
    else:
        replace_file(textfile, exposition(found, "").content, _READABLE)
