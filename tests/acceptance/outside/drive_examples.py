"""Publish `examples/incident.py` through two third-party packages to fake servers. Run in their environment.

The answer of Threads to the opening is lost. Prints, as JSON, what arrived.
"""

from __future__ import annotations

import json
import os
import runpy
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path

from fake_threads import FakeThreadsServer

from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.testing import Answer, Disconnect, FakeServer

_SETTINGS = """
schema_version = 1
sender = "Police nationale de l'Hérault"
zone = "Europe/Paris"
journal = "journal.db"
keys = "keys"

[channels.phones]
network = "ntfy"
server = "{ntfy.url}"
topic = "police34"
token = "tk_secret"

[channels.threads]
network = "threads"
server = "{threads.url}"
username = "{threads.username}"
token = "{threads.first}"
"""


def main(incident: str) -> None:
    """Run the incident in the working directory."""
    with FakeServer(Answer.json({"id": "abc"})) as ntfy, FakeThreadsServer(now=lambda: datetime.now(UTC)) as threads:
        keys = Keys.create(secrets.token_bytes)
        keys.save(Path("keys"))
        open_journal("journal.db", keys=keys, create=True).close()
        settings = Path("policenotify.toml").resolve()
        settings.write_text(_SETTINGS.format(ntfy=ntfy, threads=threads), encoding="utf-8")
        os.environ["POLICENOTIFY_SETTINGS"] = os.fspath(settings)
        threads.fail_next("POST", "/v1.0/me/threads_publish", Disconnect(), effect=True)
        runpy.run_path(incident, run_name="__main__")
        pushes = [seen.json() for seen in ntfy.requests]
    pushed = [(push["topic"], push["priority"], push["title"]) for push in pushes]
    shown = [(post.id, post.parent, post.text) for post in threads.posts]
    print(json.dumps({"pushed": pushed, "shown": shown}))  # noqa: T201 - read by the test


if __name__ == "__main__":
    main(sys.argv[1])
