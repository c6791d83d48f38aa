"""`policenotify schema`: JSON Schemas of what goes in and out."""

from __future__ import annotations

import json

import click

from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.options import OneOf

NAMES = ("message", "settings", "language", "publication", "receipt", "post")


@click.command("schema", epilog=exit_codes("1 not printed"))
@click.argument("name", type=OneOf(list(NAMES)), metavar=f"[{'|'.join(NAMES)}]")
@common
@pass_call
def schema(call: CliContext, name: str) -> Exit:
    """Print a JSON Schema (2020-12), for editors and for other systems.

    \b
    Of what:
      message      what publish, update, end, correct, cancel and preview read
      settings     policenotify.toml, with the options of every network
      words        a file of [languages]: the fixed phrases of a language
      publication  what became of a message, as --json shows it
      receipt      the same on one channel
      post         the wording on one channel, as preview --json shows it

    \b
    Examples:
      policenotify schema message > message.schema.json
      policenotify schema settings
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    from policenotify.cli.json_schemas import schema as made  # noqa: PLC0415 - help and completion need no model

    document = made(name)
    call.answer(document, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return Exit.OK
