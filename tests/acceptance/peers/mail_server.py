"""Debian's postfix and dovecot in a folder of their own, with a mailbox for any `@readers.example`."""

from __future__ import annotations

import os
import re
import shutil
import socketserver
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from fnmatch import fnmatchcase
from functools import cached_property
from imaplib import IMAP4
from pathlib import Path
from typing import Final, Self

from tests.acceptance.peers.programs import (
    CannotBeHad,
    Running,
    ended,
    listens,
    output_of,
    program,
    wait_until,
)
from tests.support.ports import free_port

DOMAIN: Final = "readers.example"
SENDER_DOMAIN: Final = "police34.example"
GONE_DOMAIN: Final = "gone.example"
FULL_DOMAIN: Final = "full.example"
LOGIN: Final = ("desk", "s3cret")
_APT: Final = "apt-get install postfix dovecot-imapd dovecot-lmtpd"

_MAIN = """
compatibility_level = 3.9
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = /dev/stdout
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mx.{domain}
mydestination =
mynetworks = 127.0.0.0/8
default_transport = error:no outside mail
transport_maps = inline:{{ {sender}=returned:, {gone}=refused:, {full}=refused: }}
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:ok
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
enable_long_queue_ids = yes
queue_run_delay = 1s
minimal_backoff_time = 1s
smtpd_error_sleep_time = 0
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{sasl}
smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{policy}, permit_mynetworks, reject
"""
_MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
returned unix - n n - - pipe flags=q user=nobody:nogroup argv={folder}/returned.sh ${{recipient}}
refused unix - n n - - pipe flags=q user=nobody:nogroup argv={folder}/refused.sh ${{domain}}
"""
# A server behind the relay, which refuses a mail that the relay has accepted (sysexits.h, pipe(8)).
_REFUSED = """#!/bin/sh
[ "$1" = {gone} ] && exit 67
echo "5.2.2 mailbox full"
exit 69
"""
# What a relay does with mails that come back: it hands them to a program, and keeps them if that fails.
_RETURNED = """#!/bin/sh
read -r status < {folder}/status
[ "$status" = 0 ] || exit "$status"
file=$(mktemp {folder}/returned/XXXXXX)
{{ echo "$1"; cat; }} > "$file"
mv "$file" "$file.mail"
"""
_DOVECOT = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = {folder}/run
listen = 127.0.0.1
log_path = {folder}/dovecot.txt
ssl = no
auth_allow_cleartext = yes
auth_mechanisms = plain login
auth_failure_delay = 0
protocols = imap lmtp
mail_driver = maildir
mail_home = {folder}/home/%{{user | username}}
mail_path = ~/Maildir
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
mailbox_list_index = no
namespace inbox {{
  inbox = yes
}}
passdb static {{
  password = {reader}
}}
passdb passwd-file {{
  passwd_file_path = {folder}/users
}}
userdb static {{
  allow_all_users = yes
}}
service auth {{
  inet_listener sasl {{
    port = {sasl}
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
"""
_READER = "a reader's password"  # any mailbox opens with it
_OWNER = "nobody"


@dataclass(frozen=True, repr=False)
class Delivered:
    """A mail as it lies in a mailbox, with what the servers have written above it."""

    recipient: str
    raw: bytes

    @cached_property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=modern)


@dataclass
class _Rule:
    """The answer of postfix to a recipient."""

    pattern: str
    answer: str
    after: int
    left: int


class Policy:
    """A policy service (SMTPD_POLICY_README), which sets postfix's answer to each recipient."""

    def __init__(self, port: int) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        policy = self

        class Asked(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                asked: dict[str, str] = {}
                for line in self.rfile:
                    name, _, value = line.decode().strip().partition("=")
                    if name:
                        asked[name] = value
                        continue
                    self.wfile.write(f"action={policy.answer(asked['recipient'])}\n\n".encode())
                    asked.clear()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", port), Asked)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def refuse(self, pattern: str, answer: str, *, after: int = 0, times: int = 1_000_000) -> None:
        """Let postfix answer so to these recipients, so often, from the one after *after* that meet the pattern."""
        with self._lock:
            self._rules.append(_Rule(pattern, answer, after, times))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def answer(self, recipient: str) -> str:
        with self._lock:
            for rule in self._rules:
                if rule.left and fnmatchcase(recipient, rule.pattern):
                    if rule.after:
                        rule.after -= 1
                        continue
                    rule.left -= 1
                    return rule.answer
        return "DUNNO"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class MailServer:
    """Both, and their mailboxes."""

    def __init__(self) -> None:
        postfix = self._postfix = program("postfix", _APT)
        dovecot = program("dovecot", _APT)
        if os.geteuid() != 0:
            raise CannotBeHad("postfix starts as root only")
        self.folder = Path(tempfile.mkdtemp(prefix="pn-mail-"))
        self.folder.chmod(0o755)
        self.home, self._thrown_away = self.folder / "home", self.folder / "away"
        self.smtp, self.imap, lmtp, sasl, policy = (free_port() for _ in range(5))
        values = {
            "folder": self.folder,
            "domain": DOMAIN,
            "sender": SENDER_DOMAIN,
            "gone": GONE_DOMAIN,
            "full": FULL_DOMAIN,
            "smtp": self.smtp,
            "imap": self.imap,
            "lmtp": lmtp,
            "sasl": sasl,
            "policy": policy,
            "reader": _READER,
            "user": _OWNER,
            "group": "nogroup",
        }
        for name in ("queue", "data", "home", "postfix", "away", "returned"):
            (self.folder / name).mkdir()
            (self.folder / name).chmod(0o755)  # its programs are other users
        shutil.chown(self.home, _OWNER)
        shutil.chown(self.folder / "returned", _OWNER)
        shutil.chown(self.folder / "data", "postfix")
        for name, text in (("postfix/main.cf", _MAIN), ("postfix/master.cf", _MASTER), ("dovecot.conf", _DOVECOT)):
            (self.folder / name).write_text(text.format(**values), "utf-8")
            (self.folder / name).chmod(0o644)
        for name, text in (("returned.sh", _RETURNED), ("refused.sh", _REFUSED)):
            (self.folder / name).write_text(text.format(**values), "utf-8")
            (self.folder / name).chmod(0o755)
        (self.folder / "users").write_text("{}:{{PLAIN}}{}\n".format(*LOGIN), "utf-8")
        (self.folder / "users").chmod(0o644)
        self.answer_returned(0)
        self.policy = Policy(policy)
        self._running = [Running(dovecot, "-F", "-c", self.folder / "dovecot.conf", folder=self.folder)]
        self._running[0].until(lambda: listens(lmtp) and listens(self.imap) and listens(sasl))
        self._running.append(Running(postfix, "-c", self.folder / "postfix", "start-fg", folder=self.folder))
        self._running[1].until(lambda: listens(self.smtp))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        output_of(self._postfix, "-c", self.folder / "postfix", "stop")  # its master has left our process group
        ended(self._running, self.folder)
        self.policy.close()

    @property
    def log(self) -> str:
        """Return postfix's log."""
        return self._running[1].output

    def answer_returned(self, status: int) -> None:
        """Set the exit code of the program that takes mails that come back."""
        (self.folder / "status").write_text(f"{status}\n", "utf-8")
        (self.folder / "status").chmod(0o644)

    def returned(self, count: int) -> list[tuple[str, bytes]]:
        """Wait for mails that come back. Return the envelope's recipient and the mail, in no order, and forget them."""
        folder = self.folder / "returned"
        wait_until(lambda: len([*folder.glob("*.mail")]) >= count, "returned mails", 60)
        found = [file.read_bytes().partition(b"\n") for file in folder.glob("*.mail")]
        for file in folder.glob("*.mail"):
            file.unlink()
        return [(recipient.decode(), mail) for recipient, _, mail in found]

    def settle(self) -> None:
        """Wait until everything that postfix has accepted lies in a mailbox."""
        queues = [self.folder / "queue" / name for name in ("maildrop", "incoming", "active", "deferred")]
        wait_until(lambda: not any(each.is_file() for queue in queues for each in queue.rglob("*")), "deliveries", 120)

    @property
    def mails(self) -> list[Delivered]:
        """Return the mails of all mailboxes, in the order of delivery."""
        self.settle()
        files = sorted(self.home.glob("*/Maildir/new/*"), key=lambda file: file.stat().st_mtime_ns)
        files += sorted(self.home.glob("*/Maildir/cur/*"))  # what a reader's program has looked at
        return [Delivered(f"{file.parts[-4]}@{DOMAIN}", file.read_bytes()) for file in files]

    def empty(self) -> None:
        """Throw all mails away, and forget every rule."""
        self.policy.clear()
        self.settle()
        for mailbox in self.home.iterdir():
            mailbox.rename(self._thrown_away / f"{time.monotonic_ns()}")

    def threads(self, recipient: str) -> list[list[int]]:
        """Sort the mails of a mailbox by `THREAD REFERENCES` (RFC 5256): the numbers in each thread."""
        self.settle()
        with self._mailbox(recipient) as mailbox:
            _, [said] = mailbox.thread("REFERENCES", "UTF-8", "ALL")
        return [[int(each) for each in re.findall(rb"\d+", thread)] for thread in _outermost(said or b"")]

    def _mailbox(self, recipient: str) -> IMAP4:
        mailbox = IMAP4("127.0.0.1", self.imap, timeout=30)
        mailbox.login(recipient, _READER)
        mailbox.select(readonly=True)
        return mailbox


def _outermost(said: bytes) -> Iterator[bytes]:
    """Return the text in the outermost brackets."""
    depth = start = 0
    for at, letter in enumerate(said.decode()):
        if letter == "(":
            depth += 1
            start = at if depth == 1 else start
        elif letter == ")":
            depth -= 1
            if not depth:
                yield said[start : at + 1]
