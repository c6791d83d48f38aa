"""Mails that come back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.formats.mail_report import MOST_BYTES, MailReport, ReportKind, read_report
from tests.support.bounces import (
    ABSENCE,
    COMPLAINT,
    MAILBOX,
    ORIGINAL,
    failure,
    report,
    words_only,
)

GMAIL = (
    "smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try\n          550-5.1.1 "
    "double-checking the recipient's email address for typos or\n          550 5.1.1 unnecessary spaces."
)
FAILURES = {
    "postfix: no such domain": ("5.4.4", "X-Postfix; Host or domain name not found", "soft", "5.4.4"),
    "Gmail: unknown user": ("5.1.1", GMAIL, "gone", "5.1.1"),
    "Gmail: not authenticated": ("5.7.26", "smtp; 550-5.7.26 This mail is unauthenticated", "refused", "5.7.26"),
    "Outlook.com: unknown user": ("5.5.0", "smtp;550 Requested action not taken: mailbox unavailable", "gone", "5.5.0"),
    "Exim: the code is in the words": ("5.0.0", "smtp; 550 5.1.1 User unknown", "gone", "5.1.1"),
    "Gmail: full": ("5.2.2", "smtp; 552-5.2.2 The email account is over quota", "soft", "5.2.2"),
    "Exim: only words": ("5.0.0", "smtp; 550 Unrouteable address", "gone", "5.0.0"),
    "Exim: nothing known": ("5.0.0", "", "soft", "5.0.0"),
    "a server that says unknown user for a full one": ("5.1.1", "smtp; 550 5.1.1 mailbox is full", "soft", "5.1.1"),
    "an address with numbers": ("5.0.0", "smtp; 550 host 192.5.1.1 said no", "soft", "5.0.0"),
}


@pytest.mark.parametrize(("status", "words", "kind", "shown"), FAILURES.values(), ids=list(FAILURES))
def test_a_failure_is_classed(status: str, words: str, kind: str, shown: str) -> None:
    found = read_report(failure(status, words))
    assert (found.kind, found.status) == (kind, shown)
    assert MAILBOX in found.addresses
    assert "journal.example" not in repr(found)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("delayed", "other"), ("delivered", "other"), ("failed (final)", "soft"), ("vanished", "other"),
    ],
)  # fmt: skip
def test_an_action_other_than_failed_is_no_failure(action: str, kind: str) -> None:
    assert read_report(failure("4.4.1", action=action)).kind == kind


def test_details_may_stand_in_a_field_of_exchange() -> None:
    mail = failure("5.0.0", "<mx.google.com #5.1.1 smtp;550-5.1.1 no such account>", how="X-Supplementary-Info")
    assert read_report(mail) == MailReport(kind=ReportKind.GONE, status="5.1.1", addresses=(MAILBOX,))


def test_of_several_recipients_the_final_failure_counts() -> None:
    fields = "Reporting-MTA: dns; mx\n\n" + "\n".join(
        f"Final-Recipient: rfc822; p@x.example\nAction: {action}\nStatus: {status}\n"
        for action, status in (("delivered", "2.0.0"), ("failed", "5.1.1"), ("delayed", "4.0.0"))
    )
    assert read_report(report(fields)).kind is ReportKind.GONE


@pytest.mark.parametrize("fields", ["Reporting-MTA: dns; mx", "Action:\nStatus: 5.1.1"])
def test_a_report_without_a_recipient_reports_nothing(fields: str) -> None:
    assert read_report(report(fields)).kind is ReportKind.OTHER


def test_a_complaint_names_the_sender_of_the_mail_that_it_is_about() -> None:
    found = read_report(COMPLAINT)
    assert (found.kind, found.status) == ("complaint", "abuse")
    assert found.addresses == ("abuse@police.example", MAILBOX)


@pytest.mark.parametrize(("kind", "found"), [("opt-out", "complaint"), ("", "other")])
def test_only_a_person_who_does_not_want_the_mail_complains(kind: str, found: str) -> None:
    fields = f"Feedback-Type: {kind}\nVersion: 1" if kind else "Version: 1"
    assert read_report(report(fields, kind="feedback-report")).kind == found


@pytest.mark.parametrize(
    "mail",
    [
        ABSENCE,
        words_only("Absent.", head="Precedence: auto_reply"),
        report("Final-Recipient: rfc822;a@b.example\nDisposition: automatic-action", kind="disposition-notification"),
    ],
)
def test_an_absence_note_is_no_failure(mail: bytes) -> None:
    assert read_report(mail).kind is ReportKind.OTHER


def test_a_letter_is_no_report() -> None:
    assert read_report(words_only("Bonjour.", head="Auto-Submitted: no")).kind is ReportKind.OTHER
    assert read_report(b"") == MailReport(kind=ReportKind.OTHER)


def test_a_report_in_a_wrapper_is_found() -> None:
    inner = failure("5.1.1").decode()
    head, _, body = inner.partition("\r\n\r\n")
    kind = next(line for line in head.splitlines() if line.startswith("Content-Type"))
    wrapped = (
        f'To: {MAILBOX}\r\nContent-Type: multipart/mixed; boundary="outer"\r\n\r\n--outer\r\n'
        f"{kind}\r\n\r\n{body}\r\n--outer--\r\n"
    )
    assert read_report(wrapped.encode()).kind is ReportKind.GONE


def test_where_it_was_sent_to_is_found_in_every_header() -> None:
    head = "Delivered-To: one@x.example\r\nX-Original-To: two@x.example\r\nEnvelope-To: <three@x.example>"
    found = read_report(report("", head=head, to="Four <FOUR@X.example>, not an address", original=ORIGINAL))
    assert found.addresses == ("one@x.example", "two@x.example", "three@x.example", "four@x.example", MAILBOX)


@pytest.mark.parametrize("original_type", ["text/rfc822-headers", "message/rfc822", "text/plain"])
def test_the_returned_mail_names_its_sender(original_type: str) -> None:
    found = read_report(report("", to="x@y.example", original_type=original_type))
    assert (MAILBOX in found.addresses) is (original_type != "text/plain")


def test_only_the_beginning_of_a_long_mail_is_read() -> None:
    long = report("Final-Recipient: rfc822;a@b.example\nAction: failed\nStatus: 5.1.1", original="x\r\n" * MOST_BYTES)
    begun = time.process_time()
    assert read_report(long).kind is ReportKind.GONE
    assert time.process_time() - begun < 5


def test_parts_in_parts_without_end_are_given_up() -> None:
    nested = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(1200))
    assert read_report(nested.encode()).kind is ReportKind.OTHER


@given(st.binary(max_size=400), st.sampled_from([b"", failure("5.1.1")[:700], COMPLAINT[:500], b"To: =?utf-8?q?"]))
def test_anything_can_be_read(tail: bytes, head: bytes) -> None:
    assert read_report(head + tail).kind in ReportKind
