"""`policenotify networks`: what there is to publish on, what it can do, and what it wants to know."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem
from rich.text import Text

from policenotify.cli import completion
from policenotify.cli.commands.network_template import new
from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.network_info import Shown, look
from policenotify.errors import UnknownNetwork
from policenotify.networks.registry import check_networks
from policenotify.networks.registry import networks as networks_offered
from policenotify.validation import did_you_mean


class _Networks(click.Group):
    """Takes a network's name where others take a command's."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args) if args[0] in self.commands else ("", one, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*click.Command.collect_usage_pieces(self, ctx), "[NAME | new NAME]"]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        return [*completion.networks(ctx, one.params[0], incomplete), *super().shell_complete(ctx, incomplete)]


@click.group(
    "networks",
    cls=_Networks,
    invoke_without_command=True,
    epilog=exit_codes("1 no such network, or one that is named cannot be used"),
)
@common
@pass_call
@click.pass_context
def networks(context: click.Context, call: CliContext) -> Exit:
    """Show every network that installed packages offer: what it can do, and whether its library is installed.

    With a NAME: only that, with its options. No settings are needed, and nothing is asked of any network.

    \b
    Examples:
      policenotify networks
      policenotify networks bluesky
      policenotify networks --json | jq '.networks[] | select(.ready | not)'
      policenotify networks new radio
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    if context.invoked_subcommand is not None:
        return Exit.OK  # the subcommand says how it went
    shown = [look(network, problem) for network, problem in check_networks()]
    more = Text("\nThe options of one: policenotify networks NAME")
    call.emit(_documents(shown), *(part for each in shown for part in each.page(whole=False)), more)
    return Exit.OK


@click.command("networks", help=networks.help, epilog=networks.epilog)
@click.argument("name")
@common
@pass_call
def one(call: CliContext, name: str) -> Exit:
    """Show one, with its options."""
    found = networks_offered()
    shown = [look(network, "") for network in found if network.name == name]  # no other is imported
    if not shown:
        hint = did_you_mean(name, {network.name for network in found}, known="Installed")
        raise UnknownNetwork(f"No installed package offers the network {name!r}. {hint}")
    call.emit(_documents(shown), *(part for each in shown for part in each.page(whole=True)))
    return Exit.OK if any(each.ready for each in shown) else Exit.REJECTED


networks.add_command(new)


def _documents(shown: Iterable[Shown]) -> dict[str, object]:
    return {"networks": [each.document() for each in shown]}
