import json
import os
import pickle
import random
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.errors import SettingsError, UnsupportedVersion
from policenotify.journal.keys import Keys


def counting(start: int = 0) -> random.Random:
    return random.Random(start)  # noqa: S311 - the same keys in every run


@pytest.fixture
def keys() -> Keys:
    return Keys.create(counting().randbytes)


def test_the_file_is_for_its_owner_only_and_comes_back_the_same(keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "policenotify.keys"
    keys.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    again = Keys.load(path)
    assert (again.version, again.fingerprint) == (1, keys.fingerprint)
    assert again.unseal("keep", *keys.seal("keep", "jeton")) == "jeton"
    assert again.tag("recipient", "a@desk.example") == keys.tag("recipient", "a@desk.example")


def test_a_file_that_is_there_is_never_written_over(keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "k"
    keys.save(path)
    first = path.read_bytes()
    with pytest.raises(SettingsError, match="is there already"):
        Keys.create(secrets.token_bytes).save(path)
    assert path.read_bytes() == first


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_a_disk_that_is_full_leaves_no_half_file(tmp_path: Path) -> None:
    code = (
        "import random, resource, signal, sys\n"
        "from policenotify.journal.keys import Keys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "keys = Keys.create(random.Random(0).randbytes)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "keys.save(sys.argv[1])\n"
    )
    path = tmp_path / "k"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)  # noqa: S603 - our own code
    assert "cannot be written" in done.stderr
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o666])
def test_a_file_open_to_others_is_refused_with_the_command_that_closes_it(
    keys: Keys, tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "k"
    keys.save(path)
    path.chmod(mode)
    with pytest.raises(SettingsError, match=f"chmod 600 {path}"):
        Keys.load(path)


def test_a_damaged_file_is_reported_without_its_content(keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "k"
    keys.save(path)
    content = json.loads(path.read_text())
    key = content["tagging"]
    content["tagging"] = key[:-8]
    path.write_text(json.dumps(content))
    with pytest.raises(SettingsError, match="damaged") as raised:
        Keys.load(path)
    assert key[:16] not in "".join(map(str, (raised.value, raised.value.__cause__)))
    path.write_bytes(b"\xff not json")
    with pytest.raises(SettingsError, match="damaged"):
        Keys.load(path)


def test_rotation_keeps_names_and_old_values_and_seals_them_again(keys: Keys) -> None:
    old = keys.seal("recipient", "a@desk.example")
    signature = keys.sign(b"batch 1")
    newer = keys.rotated(counting(1).randbytes)
    assert (keys.version, newer.version) == (1, 2)
    assert newer.tag("recipient", "x") == keys.tag("recipient", "x")
    assert newer.reference("x") == keys.reference("x")
    assert newer.unseal("recipient", *old) == "a@desk.example"
    assert newer.verify(signature[0], b"batch 1", signature[1])
    assert newer.seal("recipient", "b")[0] == 2
    assert newer.sign(b"")[0] == 2
    assert newer.fingerprints == (keys.fingerprint, newer.fingerprint)
    assert newer.fingerprint != keys.fingerprint


def test_a_host_that_was_not_rotated_is_reported(keys: Keys) -> None:
    sealed = keys.rotated(counting(1).randbytes).seal("keep", "jeton")
    with pytest.raises(SettingsError, match=r"Key version 2 .* go up to version 1\. Copy the keys file"):
        keys.unseal("keep", *sealed)
    with pytest.raises(SettingsError, match="Key version 0"):
        keys.verify(0, b"", b"")


def test_other_keys_another_purpose_or_a_changed_byte_do_not_open(keys: Keys) -> None:
    version, sealed = keys.seal("keep", "jeton")
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    other = Keys.create(counting(9).randbytes)
    for opener, purpose, value in [(other, "keep", sealed), (keys, "recipient", sealed), (keys, "keep", changed),
                                   (keys, "keep", b""), (keys, "keep", sealed[:13])]:  # fmt: skip
        with pytest.raises(SettingsError, match="key version 1") as raised:
            opener.unseal(purpose, version, value)
        assert "jeton" not in str(raised.value)


@given(st.text(), st.text(min_size=1, alphabet=st.characters(exclude_characters="\0", codec="utf-8")))
def test_anything_sealed_opens_again_and_never_looks_the_same_twice(plain: str, purpose: str) -> None:
    keys = Keys.create(counting().randbytes)
    first, second = keys.seal(purpose, plain), keys.seal(purpose, plain)
    assert first != second
    assert keys.unseal(purpose, *first) == keys.unseal(purpose, *second) == plain


def test_a_signature_holds_for_exactly_its_data(keys: Keys) -> None:
    version, signature = keys.sign(b"batch 1")
    assert keys.verify(version, b"batch 1", signature)
    assert not keys.verify(version, b"batch 2", signature)
    assert not keys.verify(version, b"batch 1", signature[:-1] + b"\0")
    assert not keys.verify(version, b"batch 1", b"short")
    assert not Keys.create(counting(9).randbytes).verify(version, b"batch 1", signature)


def test_nothing_printed_shows_a_key(keys: Keys, tmp_path: Path) -> None:
    keys.save(tmp_path / "k")
    content = json.loads((tmp_path / "k").read_text())
    assert repr(keys) == str(keys) == f"Keys(version=1, fingerprint={keys.fingerprint!r})"
    printed = repr(keys._file) + repr(keys._file.versions) + str(keys._file.versions[0])
    assert content["tagging"][:8] not in printed
    assert repr(keys._file.tagging)[:8] not in printed
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(keys)


# --- codes


def test_a_code_holds_for_exactly_its_text_and_purpose(keys: Keys) -> None:
    code = keys.mac("delivery", "text")
    assert keys.is_mac("delivery", "text", code)
    assert not keys.is_mac("delivery", "texts", code)
    assert not keys.is_mac("request", "text", code)
    for other in ("", ":", "1", "1:", "x:y", f"0{code}x", "0:" + code[2:], "-1:" + code[2:], "²:" + code[2:]):
        assert not keys.is_mac("delivery", "text", other)
    newer = keys.rotated(counting(1).randbytes)
    assert newer.is_mac("delivery", "text", code)
    assert newer.mac("delivery", "text") != code
    with pytest.raises(UnsupportedVersion):
        keys.is_mac("delivery", "text", newer.mac("delivery", "text"))


def test_only_the_file_of_earlier_versions_is_replaced(keys: Keys, tmp_path: Path) -> None:
    keys.save(tmp_path / "k")
    (tmp_path / "k").chmod(0o640)
    newer = keys.rotated(counting(1).randbytes)
    newer.replace(tmp_path / "k")
    assert Keys.load(tmp_path / "k").version == 2
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["k"]
    before = (tmp_path / "k").read_bytes()
    for other in (keys, Keys.create(os.urandom)):
        with pytest.raises(SettingsError, match="holds other keys, and was left as it is"):
            other.replace(tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == before
