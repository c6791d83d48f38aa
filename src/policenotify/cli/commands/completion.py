"""`policenotify completion`: the script by which a shell completes."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from policenotify.cli.app import COMPLETE_VARIABLE, program
from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.options import OneOf

SHELLS = {
    "bash": "~/.local/share/bash-completion/completions/policenotify",
    "zsh": "~/.zfunc/_policenotify",
    "fish": "~/.config/fish/completions/policenotify.fish",
}
"""The shells, and where each looks for a user's completions (zsh: with `fpath+=~/.zfunc` before `compinit`)."""


@click.command("completion", epilog=exit_codes("1 not printed"))
@click.argument("shell", type=OneOf(list(SHELLS)), metavar=f"[{'|'.join(SHELLS)}]")
@common
@pass_call
def completion(call: CliContext, shell: str) -> Exit:
    """Print the script by which your shell completes commands, options and their values.

    Values are category codes, communes, departments, channels, tags, networks, open incidents and held deliveries.

    \b
    Examples:
      eval "$(policenotify completion bash)"     (in ~/.bashrc)
      eval "$(policenotify completion zsh)"      (in ~/.zshrc, after compinit)
      policenotify completion fish > policenotify.fish
    """
    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover  # click ships all three
        raise click.UsageError(f"This click knows no completion for {shell}.")
    script = kind(program, {}, "policenotify", COMPLETE_VARIABLE).source()
    call.answer({"shell": shell, "script": script, "put_into": SHELLS[shell]}, script)
    return Exit.OK
