"""`policenotify journal export`, `verify` and `public-key`."""

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
from policenotify.cli.ages import age_of, check_category, selection_options
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.errors import SettingsError

_STANDARD = "-"  # standard input or output
UNCHANGED = "6 no journal, or what was sealed was changed"
"""The exit codes of a command that verifies."""


@click.command(
    "export",
    short_help="Write it to a file that others can verify.",
    epilog=exit_codes("1 the file cannot be written; 6 no journal"),
)
@click.argument("file")
@selection_options(required=False)
@common
@pass_context
def export(call: CliContext, file: str, older_than: str | None, category: str | None) -> Exit:
    """Write the journal to a new FILE of JSON Lines, or with - to standard output.

    It holds every event, the seals of their batches, what was published, and
    the outcomes; no address, and no recipient. Others can verify it with the
    installation's public key. Of events outside the selected age and category
    it holds only the commitment.

    Events so far are sealed first. The journal records who exported it, and the digest of the file.

    \b
    Examples:
      policenotify journal export journal.jsonl
      policenotify journal export - --category fire --older-than 1y > fires.jsonl
    """
    if file == _STANDARD and call.json:
        raise click.UsageError("With - the journal itself goes to standard output; --json would mix into it.")
    actor = call.actor
    with call.journal() as (settings, journal):
        journal.authorize(actor, "export")
        before = age_of(older_than, journal.now()) if older_than is not None else None
        check_category(category, settings, journal)
        journal.audit.seal()
        lines = _CountedLines(journal.export(before=before, category=category))
        if file == _STANDARD:
            sys.stdout.buffer.writelines(lines)
            sys.stdout.buffer.flush()
        else:
            _write(Path(file), lines)
        digest = lines.digest.hexdigest()
        result = {"lines": lines.count, "digest": digest, "category": category}
        journal.audit.record(actor, "exported", {**result, "before": before.isoformat() if before else None})
    text = f"{lines.count} lines, SHA-256 {digest}."
    if file == _STANDARD:
        click.echo(call.say(text), err=True)
    else:
        call.emit({"file": file, **result, "actor": actor}, Text(f"Exported to {file}:"), output.line(text))
    return Exit.OK


class _CountedLines:
    """Lines that are counted and hashed while they are written."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self.count, self.digest = 0, hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.count += 1
            self.digest.update(line)
            yield line


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Write a new file, whole or not at all, that only its owner may read."""
    if path.exists():
        raise _exists(path)
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        draft.touch(mode=0o600)
        try:
            with draft.open("wb") as out:
                out.writelines(lines)
                out.flush()
                os.fsync(out.fileno())
            os.link(draft, path)  # unlike renaming, this overwrites nothing
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}). Nothing was exported.") from error


def _exists(path: Path) -> SettingsError:
    return SettingsError(f"{path} exists already, and was left as it is. Give another name.")


@click.command("verify", short_help="Verify it, or an exported file.", epilog=exit_codes(UNCHANGED))
@click.argument("file", required=False)
@click.option("--public-key", metavar="PEM", help="The file of the installation's public keys; by default, our own.")
@click.option("--against", metavar="LINE", help="The line of a seal that was kept elsewhere.")
@common
@pass_context
def verify(call: CliContext, file: str | None, public_key: str | None, against: str | None) -> Exit:
    """Verify that nothing was changed, in the journal or in an exported FILE (- is standard input).

    In the journal that is the events with their seals, and what was or will
    be sent: wordings, accounts, requests, places of posts and approvals. With
    --against, it also shows whether the journal was set back to an earlier
    state. With --public-key no settings are needed.

    \b
    Examples:
      policenotify journal verify
      policenotify journal verify --against "$(cat last-seal)"
      policenotify journal verify journal.jsonl
      policenotify journal verify journal.jsonl --public-key public-keys.pem
    """
    if file is None:
        if public_key is not None:
            raise click.UsageError("--public-key verifies an exported file: name it, too.")
        with call.journal() as (_, journal):
            batches, line = journal.audit.verify(against or ""), journal.audit.printed_seal()
        last = [output.line(f"The last seal: {line}")] if line else []
        if against is not None:
            last.append(Text("The seal that was kept is among them."))
        call.emit({"batches": batches, "line": line}, Text(f"{batches} sealed batches, all unchanged."), *last)
        return Exit.OK
    if against is not None:
        raise click.UsageError("--against is compared with the journal, not with an exported file.")
    from policenotify.journal.verify import prove

    pem = _read(public_key) if public_key is not None else _own_keys(call)
    try:
        with click.open_file(file, "rb") as lines:
            result = prove(lines, pem)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}).") from error
    text = (
        f"Verified: {result.batches} sealed batches of {result.events} events, {result.unsealed} events not sealed "
        f"yet, {result.publications} publications. {result.bodies} events have their content."
    )
    call.emit(asdict(result), Text(text))
    return Exit.OK


@click.command("public-key", short_help="Print the keys that verify it.", epilog=exit_codes("1 no keys"))
@common
@pass_context
def public_key(call: CliContext) -> Exit:
    """Print the public keys by which others verify an export, one for each version of the keys.

    Send them by another way than the exported file.

    \b
    Examples:
      policenotify journal public-key > public-keys.pem
    """
    from policenotify.journal.verify import public_keys

    pem = _own_keys(call)
    keys = [{"fingerprint": fingerprint, "public_key": key} for fingerprint, key in public_keys(pem).items()]
    call.answer({"keys": keys}, pem)
    return Exit.OK


def _own_keys(call: CliContext) -> str:
    from policenotify.settings import read_settings

    keys = read_settings(call.settings, tolerant=True).load_keys()
    return "".join(keys.public_key(version) for version in range(1, keys.version + 1))


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}).") from error
