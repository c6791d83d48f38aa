"""Generated texts: compared with what they should be, or written again by `bash .ci/run regenerate`."""

from __future__ import annotations

import os
from collections.abc import Collection
from difflib import unified_diff
from pathlib import Path
from typing import Final

WRITES: Final = bool(os.environ.get("POLICENOTIFY_WRITE"))  # read now: no test sees the machine's settings


def check(file: Path, text: str) -> None:
    """Compare a generated text with its file, or write the file."""
    if WRITES:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    there = file.read_text(encoding="utf-8") if file.exists() else ""
    different = "\n".join([*unified_diff(there.splitlines(), text.splitlines(), "file", "now", n=0, lineterm="")][:40])
    hint = f"{file.name} differs. `bash .ci/run regenerate` writes it again: then read each difference."
    assert there == text, f"{hint}\n{different}"


def check_names(folder: Path, names: Collection[str]) -> None:
    """Compare the files of a folder with the names that it should have, or delete the others."""
    if WRITES:
        for file in folder.iterdir():
            if file.stem not in names:
                file.unlink()
    assert sorted(file.stem for file in folder.iterdir()) == sorted(names), "`bash .ci/run regenerate` writes them"
