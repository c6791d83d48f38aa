"""The options of a feed's CAP alerts: their sender, and the key that signs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from policenotify.errors import MissingExtra, SettingsError
from policenotify.networks.feed.channel import _signer
from tests.support.alerts import key_and_certificate


def test_a_feed_signs_with_the_key_in_its_files(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    for file, content in zip((key, certificate), key_and_certificate(), strict=True):
        file.write_bytes(content)
    sign = _signer(key, certificate)
    assert sign is not None
    assert b"SignatureValue" in sign(b"<alert/>")
    assert _signer(None, None) is None
    with pytest.raises(SettingsError, match="or neither"):
        _signer(key, None)
    certificate.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        _signer(key, certificate)


def test_signing_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing: Any = None
    monkeypatch.setitem(__import__("sys").modules, "policenotify.formats.cap.signature", missing)
    with pytest.raises(MissingExtra, match=r"policenotify\[sign\]"):
        _signer(tmp_path, tmp_path)
