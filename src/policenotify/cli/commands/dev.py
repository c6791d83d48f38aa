"""`policenotify dev`: fake networks to develop against."""

from __future__ import annotations

from contextlib import ExitStack

import click

from policenotify.cli.context import CliContext, command
from policenotify.cli.documents import json_text
from policenotify.cli.usage import BadParameter
from policenotify.delivery.service import ended_by_signals
from policenotify.translation import Text

PORT_BASE = 8040
"""The port of the page. Those of the networks follow it."""

_LONGEST = 3_600  # seconds of one wait for a signal


@command("dev", exits="1 the installation cannot be created")
@click.option(
    "--port-base",
    type=click.IntRange(0, 65_500),
    default=PORT_BASE,
    show_default=True,
    metavar="PORT",
    help="The port of the page. Those of the networks follow it. 0: free ones.",
)
@click.option(
    "--init",
    "directory",
    type=click.Path(file_okay=False),
    metavar="DIRECTORY",
    help="Create an installation on these networks there, unless it is there already.",
)
def dev(call: CliContext, port_base: int, directory: str | None) -> None:
    """Start fake networks for development, and a page that shows what their readers see, until Ctrl-C.

    No account is needed, and nothing leaves this machine. The settings of an installation on these networks are printed
    on standard output. On the page, each network can be slow, down, refusing or forgetful.

    \b
    Examples:
      policenotify dev
      policenotify dev --init desk
      policenotify dev --port-base 9000 > policenotify.toml
    """
    from policenotify.testing.dev import DevNetworks, dev_page

    with ExitStack() as running:
        try:
            networks = running.enter_context(DevNetworks(port_base=port_base))
            page = running.enter_context(dev_page(networks, port_base, language=call.language))
        except OSError as error:
            reason = Text(
                "a port from {port_base} on cannot be used ({strerror}). Nothing was started.",
                port_base=port_base,
                strerror=error.strerror,
            )
            raise BadParameter(reason, param_hint="--port-base") from None
        settings = str(networks.install(directory)) if directory else ""
        # Ctrl-C may come as soon as the address is known.
        signals = running.enter_context(ended_by_signals())
        document = {"page": page, "settings": networks.toml, "file": settings}
        click.echo(json_text(document) if call.json else networks.toml)
        copied = Text("Copy these settings, and close them for others: chmod 600")
        here = Text("The installation: {settings}", settings=settings) if settings else copied
        for line in (here, Text("What readers see: {url} (Ctrl-C ends it)", url=page)):
            click.echo(call.say(line), err=True)
        while not signals.wait(_LONGEST):
            pass
