"""Alerts are signed as they are written, and verified by the certificate of their sender alone."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from policenotify.errors import InvalidAlert, SettingsError
from policenotify.formats.cap.reader import read
from policenotify.formats.cap.signature import Signer, is_signed, load_certificate, verified
from policenotify.formats.cap.writer import write
from tests.support.alerts import BOMB, CORPUS, VIGILANCE, key_and_certificate

ALERT = write(read(VIGILANCE.read_bytes()))
KEY, CERTIFICATE = key_and_certificate()
OWN = load_certificate(CERTIFICATE, "certificates")


def test_a_signed_alert_is_verified_and_always_the_same() -> None:
    signer = Signer(KEY, CERTIFICATE)
    signed = signer(ALERT)
    assert (is_signed(signed), is_signed(ALERT)) == (True, False)
    assert signer(ALERT) == signed
    assert read(verified(signed, OWN)) == read(ALERT)
    assert "PRIVATE" not in repr(signer)


def test_a_changed_word_or_another_key_is_refused() -> None:
    signed = Signer(KEY, CERTIFICATE)(ALERT)
    other = Signer(*key_and_certificate("other"))(ALERT)
    old = (CORPUS / "google-canada_signed.cap").read_bytes()
    for content in (signed.replace(b"Moderate", b"Extreme", 1), other, old, ALERT):
        with pytest.raises(InvalidAlert, match="signature"):
            verified(content, OWN)
    with pytest.raises(InvalidAlert, match="DOCTYPE"):
        verified(BOMB, OWN)


def test_a_certificate_that_has_expired_is_named() -> None:
    key, certificate = key_and_certificate("old", until=2021)
    with pytest.raises(InvalidAlert, match="certificate of its sender is not valid now"):
        verified(Signer(key, certificate)(ALERT), load_certificate(certificate, "certificates"))


def test_what_another_part_signed_is_not_the_whole_alert() -> None:
    """An alert of a thief, with the signed one inside: only what is signed counts."""
    signed = Signer(KEY, CERTIFICATE)(ALERT).partition(b"?>")[2]
    false = ALERT.replace(b"Vigilance jaune", b"Alerte rouge").replace(
        b"</alert>", b"<x>" + signed.strip() + b"</x></alert>"
    )
    try:
        covered = verified(false, OWN)
    except InvalidAlert:
        return
    assert b"Alerte rouge" not in covered


def _pem(key: ec.EllipticCurvePrivateKey, *, password: bytes | None = None) -> bytes:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def test_wrong_keys_are_named() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    for key, why in (
        (b"nothing", "cap_key: not a private key"),
        (_pem(private, password=b"secret"), "cap_key: not a private key"),
        (_pem(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (_pem(private), "belongs to another key"),
    ):
        with pytest.raises(SettingsError, match=why):
            Signer(key, CERTIFICATE)
    with pytest.raises(SettingsError, match="cap_certificate: not a certificate"):
        Signer(KEY, b"nothing")
