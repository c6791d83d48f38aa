"""How the command line exits: one list, shown by `policenotify --help`, relied upon by scripts and monitors."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the exit code of a command says."""

    OK = 0
    REJECTED = 1
    USAGE = 2
    ATTENTION = 3
    OVERDUE = 4
    NO_WORKER = 5
    NO_JOURNAL = 6
    TAKEN_AWAY = 7
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it


MEANINGS = {
    Exit.OK: "all in order",
    Exit.REJECTED: "not published: a check, the course, a key, the settings, a stop",
    Exit.USAGE: "not understood, or there is nothing to act on; nothing was done",
    Exit.ATTENTION: "a channel needs help: refused, held, in doubt, waiting, blocked, wrong",
    Exit.OVERDUE: "an incident is overdue: its update or end is owed",
    Exit.NO_WORKER: "deliveries wait, and nobody has been delivering for 2 minutes",
    Exit.NO_JOURNAL: "the journal is not available",
    Exit.TAKEN_AWAY: "the journal was taken away while it was in use; nothing more is sent",
    Exit.INTERRUPTED: "interrupted; what was journalled goes on with the next drain",
}

_WORST_FIRST = (
    Exit.INTERRUPTED, Exit.TAKEN_AWAY, Exit.NO_JOURNAL, Exit.USAGE, Exit.REJECTED, Exit.NO_WORKER, Exit.OVERDUE,
    Exit.ATTENTION, Exit.OK,
)  # fmt: skip


def worst(*exits: Exit) -> Exit:
    """The exit that says most; `IN_ORDER` for none."""
    return min((Exit.OK, *exits), key=_WORST_FIRST.index)


def exit_table() -> str:
    """All exit codes, for the end of the help."""
    return "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())


def exit_codes(special: str) -> str:
    """The exit codes of one command, for the end of its help; any command may also exit with 2 or 130.

    Args:
        special: What they say of this command: `1 not published`.
    """
    return f"Exit codes: 0 in order; {special}; 2 not understood. All of them: policenotify --help"
