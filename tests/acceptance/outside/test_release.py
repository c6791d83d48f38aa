"""What a release publishes: the same bytes wherever and whenever it is built, and a bill of materials that is valid."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.outside.environments import ROOT, run

pytestmark = pytest.mark.outside
SOURCES = (".ci", "LICENSE", "LICENSES", "docs/operations", "pyproject.toml", "src", "uv.lock")


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two releases, from copies of the sources that differ in place, times, permissions and left-over files."""
    return [
        _release(tmp_path_factory.mktemp("first"), later=False),
        _release(tmp_path_factory.mktemp("other"), later=True),
    ]


def _release(folder: Path, *, later: bool) -> Path:
    for name in SOURCES:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    if later:
        cached = folder / "src/policenotify/__pycache__"
        cached.mkdir()
        (cached / "errors.cpython-311.pyc").write_bytes(b"left over")
        for path in folder.rglob("*"):
            os.utime(path, (2_000_000_000, 2_000_000_000))
            path.chmod(0o775 if path.is_dir() else 0o664)
    for name in (".uv", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    run(["bash", ".ci/run", "release"], at=folder)
    return folder / "dist"


def test_two_builds_are_equal_byte_for_byte(releases: list[Path]) -> None:
    first, other = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in releases)
    assert first.keys() == other.keys()
    built = [name for name in first if name.endswith((".whl", ".tar.gz"))]
    assert len(built) == 2
    for name in built:
        assert first[name] == other[name], name
    assert set(first) == {*built, "SHA256SUMS", *(name for name in first if name.endswith(".cdx.json"))}


def test_the_wheel_brings_the_files_for_operators(releases: list[Path]) -> None:
    [wheel] = releases[0].glob("*.whl")
    shared = ROOT / "docs/operations"
    with zipfile.ZipFile(wheel) as archive:
        data = {
            name.partition(".data/data/")[2]: archive.read(name)
            for name in archive.namelist()
            if ".data/" in name and not name.endswith("/")
        }
    shipped = {path for path in shared.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert data == {path.relative_to(shared).as_posix(): path.read_bytes() for path in shipped}
    assert {name.split("/")[2] for name in data} == {"container", "grafana", "prometheus", "systemd", "web"}


def test_the_bill_of_materials_is_valid_cyclonedx_and_names_each_locked_file(releases: list[Path]) -> None:
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415 - this is of the group `oracle`
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415 - this too

    [bill] = releases[0].glob("*.cdx.json")
    whole = json.loads(bill.read_text("utf-8"))
    components = whole["components"]
    # A part, which uv has written like the rest: the check of all files takes minutes.
    part = [{**each, "externalReferences": each["externalReferences"][:3]} for each in components[::20]]
    text = json.dumps({**whole, "components": part})
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text.replace('"purl"', '"pearl"')) is not None
    assert len({each["bom-ref"] for each in components}) == len(components)
    assert len(components) > 50
    for component in components:
        hashes = [one["hashes"] for one in component["externalReferences"] if one["type"] == "distribution"]
        assert hashes, component["name"]
        assert all(each["alg"] == "SHA-256" for found in hashes for each in found)
