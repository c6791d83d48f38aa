"""`policenotify journal export`, `verify` and `public-key`: hand the journal out, and prove it."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from policenotify.cli import output
from policenotify.cli.age_filter import chosen, known_category, moment_of
from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.errors import SettingsError

_STANDARD = "-"  # standard input or output
UNCHANGED = "6 no journal, or what was sealed was changed"
"""How a command that proves exits."""


@click.command(
    "export",
    short_help="Write it to a file that strangers can prove.",
    epilog=exit_codes("1 the file cannot be written; 6 no journal"),
)
@click.argument("file")
@chosen(required=False)
@common
@pass_call
def export(call: CliContext, file: str, older_than: str | None, category: str | None) -> Exit:
    """Write the journal to a new FILE of JSON Lines, or with - to standard output.

    It holds every event, the seals of their batches, what was said and what
    became of it; no address, and no recipient. Strangers can prove it with
    the installation's public key. Of events about what is not chosen by age
    and category only the commitment is in it.

    Events so far are sealed first. That it was exported, by whom and with which digest is written down.

    \b
    Examples:
      policenotify journal export journal.jsonl
      policenotify journal export - --category fire --older-than 1y > fires.jsonl
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    if file == _STANDARD and call.json:
        raise click.UsageError("With - the journal itself goes to standard output; --json would stand among it.")
    actor = call.actor
    with call.journal() as (settings, opened):
        before = moment_of(older_than, opened.now()) if older_than is not None else None
        known_category(category, settings, opened)
        opened.audit.seal()
        lines = opened.export(before=before, category=category)
        written = _Counted(lines)
        if file == _STANDARD:
            sys.stdout.buffer.writelines(written)
            sys.stdout.buffer.flush()
        else:
            _write(Path(file), written)
        said = {"lines": written.lines, "digest": written.digest.hexdigest(), "category": category}
        opened.audit.record(actor, "exported", {**said, "before": before.isoformat() if before else None})
    told = f"{written.lines} lines, SHA-256 {written.digest.hexdigest()}."
    if file == _STANDARD:
        click.echo(told, err=True)
    else:
        call.emit({"file": file, **said, "actor": actor}, Text(f"Exported to {file}:"), output.line(told))
    return Exit.OK


class _Counted:
    """Lines on their way into a file, counted and hashed."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._of = lines
        self.lines, self.digest = 0, hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for line in self._of:
            self.lines += 1
            self.digest.update(line)
            yield line


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Write a new file, whole or not at all, that only its owner may read."""
    if path.exists():
        raise _there(path)
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        draft.touch(mode=0o600)
        try:
            with draft.open("wb") as out:
                out.writelines(lines)
                out.flush()
                os.fsync(out.fileno())
            os.link(draft, path)  # unlike a renaming, this writes nothing over
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise _there(path) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}). Nothing was exported.") from error


def _there(path: Path) -> SettingsError:
    return SettingsError(f"{path} is there already, and was left as it is. Give another name.")


@click.command("verify", short_help="Prove it, or an exported file.", epilog=exit_codes(UNCHANGED))
@click.argument("file", required=False)
@click.option("--public-key", metavar="PEM", help="The file of the installation's public keys; by default, our own.")
@common
@pass_call
def verify(call: CliContext, file: str | None, public_key: str | None) -> Exit:
    """Prove the journal, or an exported FILE (- is standard input): that nothing sealed was changed.

    With --public-key no settings are needed: so do strangers.

    \b
    Examples:
      policenotify journal verify
      policenotify journal verify journal.jsonl
      policenotify journal verify journal.jsonl --public-key public-keys.pem
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    if file is None:
        if public_key is not None:
            raise click.UsageError("--public-key proves an exported file: name it, too.")
        with call.journal() as (_, opened):
            batches, digest = opened.audit.verify(), opened.audit.last_seal()
        told = f"{batches} sealed batches, all unchanged."
        more = [output.line(f"The last seal: {digest}")] if digest else []
        call.emit({"batches": batches, "digest": digest}, Text(told), *more)
        return Exit.OK
    from policenotify.journal.verify import prove  # noqa: PLC0415 - help needs none

    pem = _read(public_key) if public_key is not None else _ours(call)
    try:
        with click.open_file(file, "rb") as lines:
            proven = prove(lines, pem)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}).") from error
    told = (
        f"Proven: {proven.batches} sealed batches of {proven.events} events, {proven.unsealed} events not sealed yet, "
        f"{proven.publications} publications. {proven.bodies} events tell what they said."
    )
    call.emit(asdict(proven), Text(told))
    return Exit.OK


@click.command("public-key", short_help="Print the keys by which strangers prove it.", epilog=exit_codes("1 no keys"))
@common
@pass_call
def public_key(call: CliContext) -> Exit:
    """Print the public keys by which strangers prove what was exported, one for each version of the keys.

    Give them away on another way than the exported file.

    \b
    Examples:
      policenotify journal public-key > public-keys.pem
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    from policenotify.journal.verify import public_keys  # noqa: PLC0415 - help needs none

    pem = _ours(call)
    keys = [{"fingerprint": name, "public_key": one} for name, one in public_keys(pem).items()]
    call.answer({"keys": keys}, pem)
    return Exit.OK


def _ours(call: CliContext) -> str:
    from policenotify.journal.keys import Keys  # noqa: PLC0415 - help needs none
    from policenotify.settings import read_settings  # noqa: PLC0415 - likewise

    keys = Keys.load(read_settings(call.settings, tolerant=True).keys_path)
    return "".join(keys.public_key(version) for version in range(1, keys.version + 1))


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}).") from error
