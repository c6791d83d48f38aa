"""`policenotify preview` shows what an SMS costs, with its accents and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.installation import Desk
from tests.support.shell import Run

SMS = """
[channels.abonnes]
network = "sms"
url = "octopush://POLICE34:desk@police.example/s3cret/{recipient}"
recipients = ["+33639980001"]
accents = { severe = "keep", minor = "fold" }
"""
FOREST = (
    "preview", "--category", "fire", "--commune", "34172", "--headline", "Feu de forêt", "--incident", "i1",
    "--instruction", "Quittez la forêt à pied vers le nord.", "--to", "abonnes",
)  # fmt: skip
PRICES = {"Severe": "UCS-2, 2 segments (1 without accents)", "Minor": "GSM-7, 1 segment"}


@pytest.fixture(autouse=True)
def sms(desk: Desk) -> None:
    settings = desk.folder / "policenotify.toml"
    settings.write_text(settings.read_text("utf-8") + SMS, encoding="utf-8")


@pytest.mark.parametrize("severity", PRICES)
def test_a_preview_shows_the_price_of_accents_by_severity(run: Run, severity: str, tmp_path: Path) -> None:
    seen = run(*FOREST, "--severity", severity, "--html", tmp_path / "seen.html")
    page = (tmp_path / "seen.html").read_text("utf-8")
    [post] = run(*FOREST, "--severity", severity, "--json").document["posts"]
    [wording] = post["wordings"]
    assert wording["details"] == PRICES[severity]
    assert f"{wording['used']} of 459 · {PRICES[severity]}" in " ".join(seen.out.split())
    assert f"<b>{wording['used']}</b> of 459" in page
    assert f": {PRICES[severity]}</label>" in page
    assert ("forêt à pied" in wording["post"]["text"]) is (severity == "Severe")
