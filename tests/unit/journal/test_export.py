"""The exported journal: others verify it and detect any change."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from policenotify.errors import JournalError, UnsupportedVersion
from policenotify.journal.bulk.recipients import recipient_key
from policenotify.journal.keys import Keys
from policenotify.journal.verify import Proven, fingerprint, prove, public_keys
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.journal import Desk

A = "a.secret@x.example"
Lines = list[bytes]


@pytest.fixture
def full(desk: Desk) -> Desk:
    """Two sealed batches and two events after them."""
    desk.publish(channels=("sky", "mail"), people={"mail": [A]}, key="cad:1")
    desk.deliver()
    assert desk.mail() == [A]
    assert desk.journal.audit.seal() == 3
    desk.clock.pass_by(86_400)
    desk.publish(Stage.STANDALONE, headline="Piétons, attention")
    assert desk.journal.audit.seal() == 1
    desk.journal.stop("adj Petit", "Compte compromis ?")
    desk.journal.resume("adj Petit")
    return desk


def _pem(desk: Desk) -> str:
    return desk.keys.public_key(1)


def _read(lines: Lines) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_an_export_holds_all_and_is_proved(full: Desk) -> None:
    lines = list(full.journal.export())
    read = _read(lines)
    kinds = [line["type"] for line in read]
    assert kinds == [
        "journal", *["event"] * 3, "seal", "event", "seal", *["event"] * 2, "publication", "publication", "end"
    ]  # fmt: skip
    assert read[0]["keys"] == [{"version": 1, "fingerprint": fingerprint(_pem(full))}]
    first = read[-3]
    assert (first["key"], first["actor"], first["purged"]) == ("cad:1", "cne Roux", None)
    assert first["message"]["headline"] == "Accident sur l’A9"
    mail, sky = first["receipts"]
    assert (sky["channel"], sky["outcome"], sky["ref"]["id"]) == ("sky", "posted", "post of 1")
    assert first["posts"][str(sky["delivery"])][0]["text"] == "Accident sur l’A9"
    assert (mail["channel"], mail["recipients"]) == ("mail", {"posted": 1})
    text = b"".join(lines).decode()
    assert A not in text
    assert recipient_key(full.keys, A) not in text
    expected = Proven(batches=2, events=4, unsealed=2, bodies=6, publications=2)
    assert prove(lines, _pem(full)) == expected


def test_the_same_journal_gives_the_same_bytes(full: Desk) -> None:
    assert list(full.journal.export()) == list(full.journal.export())


def test_an_empty_journal_is_proved(desk: Desk) -> None:
    lines = list(desk.journal.export())
    assert len(lines) == 2
    assert prove(lines, _pem(desk)) == Proven(batches=0, events=0, unsealed=0, bodies=0, publications=0)


def test_an_export_does_not_fill_the_memory(full: Desk) -> None:
    lines = full.journal.export()
    assert json.loads(next(lines))["type"] == "journal"
    lines.close()  # type: ignore[attr-defined]  # it is a generator: what is left is not read
    assert full.publish(incident="I2")


def test_only_chosen_messages_show_their_texts(full: Desk) -> None:
    old = full.clock.now() - timedelta(hours=12)
    for how, bodies, headlines in (
        ({"before": old}, 3, {"Accident sur l’A9"}),
        ({"category": "fire"}, 0, set()),
        ({"category": "traffic_accident"}, 4, {"Accident sur l’A9", "Piétons, attention"}),
        ({"before": full.clock.now()}, 6, {"Accident sur l’A9", "Piétons, attention"}),
    ):
        lines = list(full.journal.export(**how))
        proven = prove(lines, _pem(full))
        assert (proven.batches, proven.events, proven.bodies) == (2, 4, bodies)
        assert {line["message"]["headline"] for line in _read(lines) if line["type"] == "publication"} == headlines


def test_batches_of_rotated_keys_are_proved_with_all_of_them(full: Desk) -> None:
    full.journal.keys = full.keys.rotated(os.urandom)
    assert full.journal.audit.seal() == 2
    lines = list(full.journal.export())
    both = "".join(full.journal.keys.public_key(version) for version in (1, 2))
    assert prove(lines, f"Police de l’Hérault\r\n{both}").batches == 3
    assert len(public_keys(both)) == 2
    for version, line in ((1, 12), (2, 5)):
        name = fingerprint(full.journal.keys.public_key(3 - version))[:16]
        with pytest.raises(
            JournalError, match=rf"Line \d+ of the export: the s.* was made with the key {name}…, which"
        ):
            prove(lines, full.journal.keys.public_key(version))
        assert line <= len(lines)


def _swap(lines: Lines) -> Lines:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def _edit(number: int, old: str, new: str) -> Callable[[Lines], Lines]:
    def changed(lines: Lines) -> Lines:
        assert old.encode() in lines[number]
        return [*lines[:number], lines[number].replace(old.encode(), new.encode(), 1), *lines[number + 1 :]]

    return changed


CHANGES: list[tuple[Callable[[Lines], Lines], str]] = [
    (_edit(1, "cne Roux", "adj Roux"), r"Line 5 .*the events before seal 1 are not those that were sealed"),
    (_edit(1, '"kind":"published"', '"kind":"resumed"'), r"Line 5 .*are not those that were sealed"),
    (_edit(1, "traffic_accident", "fire"), r"Line 2 .*the body of event 1 does not match its commitment"),
    (_edit(7, "Compte", "Conte"), r"Line 8 .*the body of event 5 does not match its commitment"),
    (_edit(7, "adj Petit", "cne Roux"), r"Line 12 .*not those that were signed"),
    (_edit(9, "Accident", "Incident"), r"Line 12 .*not those that were signed"),
    (_edit(9, '"outcome":"posted"', '"outcome":"refused"'), r"Line 12 .*not those that were signed"),
    (_edit(6, '"previous":"', '"previous":"0'), r"Line 7 .*not those that were sealed"),
    (_edit(6, '"digest":"', '"digest":"0'), r"Line 7 .*the seal was not made with the key"),
    (_edit(6, '"signature":"', '"signature":"AAAA'), r"Line 7 .*the seal was not made with the key"),
    (_edit(6, '"signature":"', '"signature":"?'), r"Line 7 of the export is not a line of a journal"),
    (_edit(11, '"lines":11', '"lines":12'), r"Line 12 .*not those that were signed"),
    (_edit(11, '"signature":"', '"signature":"AAAA'), r"Line 12 .*the signature of the whole was not made"),
    (_edit(5, '"type":"event"', '"type":"remark"'), r"Line 6 of the export is not a line of a journal"),
    (_edit(5, "{", "["), r"Line 6 of the export is not a line of a journal"),
    (_edit(5, '"commitment"', '"comment"'), r"Line 6 of the export is not a line of a journal"),
    (_edit(0, '"version":1', '"version":2'), r"Line 5 of the export is not a line of a journal"),
    (_swap, r"Line 5 .*not those that were sealed"),
    (lambda lines: [*lines[:2], *lines[3:]], r"Line 4 .*not those that were sealed"),
    (lambda lines: [*lines[:4], *lines[5:]], r"Line 6 .*not those that were sealed"),
    (lambda lines: [*lines[:5], *lines[7:]], r"Line 10 .*not those that were signed"),
    (lambda lines: [*lines[:10], lines[11]], r"Line 11 .*not those that were signed"),
    (_edit(0, '"journal":"', '"journal":"0'), r"Line 5 .*the seal was not made with the key"),
    (_edit(6, '"at":', '"at":1'), r"Line 7 .*the seal was not made with the key"),
    (_edit(11, '"at":', '"at":1'), r"Line 12 .*the signature of the whole was not made"),
    (lambda lines: lines[:-1], r"ends after line 11, without its last lines"),
    (lambda _lines: [], r"ends after line 0"),
    (lambda lines: [*lines, lines[1]], r"Line 13 .*added behind the end"),
    (lambda lines: lines[1:], r"Line 1 .*the head of the file is missing"),
    (lambda lines: [lines[0], *lines], r"Line 2 .*or there are two"),
    (lambda lines: [*lines[:7], lines[9], *lines[7:9], *lines[10:]], r"not those that were signed"),
]


@pytest.mark.parametrize(("change", "why"), CHANGES, ids=[f"{n} {why}" for n, (_, why) in enumerate(CHANGES)])
def test_any_change_is_detected(full: Desk, change: Callable[[Lines], Lines], why: str) -> None:
    changed = change(list(full.journal.export()))
    with pytest.raises(JournalError, match=why):
        prove(changed, _pem(full))


def test_an_export_of_a_newer_form_is_refused(desk: Desk) -> None:
    head, end = desk.journal.export()
    with pytest.raises(UnsupportedVersion, match="exported journal"):
        prove([head.replace(b'"format_version":1', b'"format_version":2'), end], _pem(desk))


@pytest.mark.parametrize(
    "text", ["", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "of another kind"]
)
def test_an_invalid_key_is_reported(text: str) -> None:
    if text == "of another kind":
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415 - only here
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - likewise

        public = X25519PrivateKey.generate().public_key()
        text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(JournalError, match="That is not a public key of an installation"):
        prove([], text)


def test_other_keys_prove_nothing(full: Desk) -> None:
    with pytest.raises(JournalError, match="which you did not give"):
        prove(full.journal.export(), Keys.create(os.urandom).public_key(1))
