"""Signed alerts are verified by the certificate of their sender alone."""

from __future__ import annotations

import pytest

from policenotify.errors import InvalidAlert, SettingsError
from policenotify.formats.cap.reader import read
from policenotify.formats.cap.signature import is_signed, load_certificate, verified
from policenotify.formats.cap.writer import write
from tests.support.alerts import BOMB, CORPUS, VIGILANCE, key_and_certificate, signed_alert

ALERT = write(read(VIGILANCE.read_bytes()))
KEY, CERTIFICATE = key_and_certificate()
OWN = load_certificate(CERTIFICATE, "certificates")


def test_a_signed_alert_is_verified() -> None:
    signed = signed_alert(ALERT, KEY, CERTIFICATE)
    assert (is_signed(signed), is_signed(ALERT)) == (True, False)
    assert read(verified(signed, OWN)) == read(ALERT)


def test_a_changed_word_or_another_key_is_refused() -> None:
    signed = signed_alert(ALERT, KEY, CERTIFICATE)
    other = signed_alert(ALERT, *key_and_certificate("other"))
    old = (CORPUS / "google-canada_signed.cap").read_bytes()
    for content in (signed.replace(b"Moderate", b"Extreme", 1), other, old, ALERT):
        with pytest.raises(InvalidAlert, match="signature"):
            verified(content, OWN)
    with pytest.raises(InvalidAlert, match="DOCTYPE"):
        verified(BOMB, OWN)


def test_a_certificate_that_has_expired_is_named() -> None:
    key, certificate = key_and_certificate("old", until=2021)
    with pytest.raises(InvalidAlert, match="certificate of its sender is not valid now"):
        verified(signed_alert(ALERT, key, certificate), load_certificate(certificate, "certificates"))


def test_what_another_part_signed_is_not_the_whole_alert() -> None:
    """An alert of a thief, with the signed one inside: only what is signed counts."""
    signed = signed_alert(ALERT, KEY, CERTIFICATE).partition(b"?>")[2]
    false = ALERT.replace(b"Vigilance jaune", b"Alerte rouge").replace(
        b"</alert>", b"<x>" + signed.strip() + b"</x></alert>"
    )
    try:
        covered = verified(false, OWN)
    except InvalidAlert:
        return
    assert b"Alerte rouge" not in covered


def test_a_wrong_certificate_is_named() -> None:
    with pytest.raises(SettingsError, match="cap_certificate: not a certificate"):
        load_certificate(b"nothing", "cap_certificate")
