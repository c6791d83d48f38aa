"""Exit codes of the command line, on which scripts and monitors rely."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit code of a command."""

    OK = 0
    REJECTED = 1
    USAGE = 2
    ATTENTION = 3
    OVERDUE = 4
    NO_WORKER = 5
    NO_JOURNAL = 6
    TAKEN_AWAY = 7  # of the worker alone: its service manager does not start it again
    TRY_AGAIN = 75  # of `bounce` alone, EX_TEMPFAIL of sysexits.h: a relay keeps the mail and tries again
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it


# What every command has. The two others stand in the help of their own commands.
MEANINGS = {
    Exit.OK: "success; nothing needs attention",
    Exit.REJECTED: "not published: a check, the status, a key, the settings or a stop",
    Exit.USAGE: "wrong usage, or nothing to act on; nothing was done",
    Exit.ATTENTION: "a channel needs help: refused, held, in doubt, waiting, blocked, wrong",
    Exit.OVERDUE: "the update, end or second reading of something is overdue",
    Exit.NO_WORKER: "deliveries wait, and no worker has run for 2 minutes",
    Exit.NO_JOURNAL: "the journal is not available",
    Exit.INTERRUPTED: "interrupted; the next drain delivers what is in the journal",
}

_WORST_FIRST = (
    Exit.INTERRUPTED, Exit.TAKEN_AWAY, Exit.TRY_AGAIN, Exit.NO_JOURNAL, Exit.USAGE, Exit.REJECTED, Exit.NO_WORKER,
    Exit.OVERDUE, Exit.ATTENTION, Exit.OK,
)  # fmt: skip


def worst(*exits: Exit) -> Exit:
    """Return the most severe exit code, `OK` if there is none."""
    return min((Exit.OK, *exits), key=_WORST_FIRST.index)


def exit_table() -> str:
    """Return all exit codes for the end of the help."""
    return "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())


def exit_codes(special: str) -> str:
    """Return the exit codes of one command for the end of its help.

    Any command may also exit with 2 or 130.

    Args:
        special: The other codes with their meaning here: `1 not published`.
    """
    return f"Exit codes: 0 success; {special}; 2 wrong usage. All of them: policenotify --help"
