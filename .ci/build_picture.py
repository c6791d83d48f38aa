"""Draw the README's picture, one incident of the demo from its opening to its end, and store its texts beside it.

`python .ci/build_picture.py` needs Debian's packages `chromium`, `fonts-inter` and `fonts-noto-color-emoji`.
With `--check` it needs none of them, draws nothing, and exits with 1 if the demo's texts are no longer those stored.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path

from PIL import Image, ImageChops

from policenotify.cli.commands.demo import INCIDENT, STORY, open_desk, publish_story
from policenotify.cli.report.builder import Report, draw
from policenotify.cli.report.file import html

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PICTURE, TEXTS = IMAGES / "demo.webp", IMAGES / "demo.txt"
WIDTH = 880  # CSS pixels: the README's column
HEIGHT = 3000  # CSS pixels; what stays empty is cut off
SCALE = 2  # for sharp letters on dense screens
LIMIT = 200_000  # bytes, so that the README loads at once
FRAME = re.compile(r'<iframe .*? srcdoc="([^"]*)"></iframe>')
# The formatted mail without its frame, so that its height is that of its text. The end of each mail is the same.
LETTER = """<div class="letter"><template shadowrootmode="open">
{}<style>[role=contentinfo] {{ display: none }}</style>
</template></div>"""
STYLE = """
.skip, .mast, .desk-side, .label, .foot, .count, .desk, .avatar, .said .by, .from, .cut, .plain-text, .marks li + li,
.mailbox .wording, .mailbox .answers, .phone .thread::before, .envelope > summary::after { display: none }
:root { --sans: Inter, "Noto Color Emoji"; --t0: .75rem; --t-1: .6875rem; --s5: 1rem; --s4: .5rem; --s2: .5rem }
.wrap { padding-inline: 1rem }
.about { display: flex; align-items: baseline; gap: .75rem; max-width: none; margin-bottom: .75rem }
.kind { order: 1; flex: 1 }
.marks { order: 2; margin: 0 }
.devices { display: grid; grid-template-columns: repeat(3, 1fr) 1.1fr }
.devices { grid-template-rows: repeat(5, auto); gap: 0 .625rem }
.device { container-type: normal; display: grid; grid-row: span 4; grid-template-rows: subgrid; grid-column: auto }
.device .thread { display: grid; grid-row: 2 / span 3; grid-template-rows: subgrid; padding: .625rem }
.timeline .item { padding-inline-start: 1.25rem }
.timeline .face { padding: 0; border: 0 }
.phone .thread { width: auto; max-width: none; margin: 0; border: 0 }
.said .text, .bubble { margin-top: .125rem; line-height: 1.38 }
.bubble { padding: .5rem .625rem; border-radius: .875rem .875rem .875rem .25rem }
.mailbox { display: block; grid-column: 1 / -1; grid-row: 5; margin-top: .625rem }
.mailbox .bar { padding-block: .375rem }
.mailbox .thread { display: grid; grid-template: none / repeat(3, 1fr); padding: 0 }
.mailbox .item + .item { border-top: 0 }
.letter { height: auto; padding: .875rem .875rem .25rem; font-size: 1rem; zoom: .68 }
"""
"""Opening, update and end each in a row, on four networks beside each other, and the mails below."""


def main() -> int:
    """Draw the picture, or compare its texts."""
    with open_desk() as desk:
        names = [name for name in STORY if name.startswith(f"{INCIDENT}/")]
        report = draw("demo", list(publish_story(desk, names)), desk.publisher)
        page = html(report)
    texts = "\n".join(lines(report))
    if "--check" in sys.argv[1:]:
        if TEXTS.read_text("utf-8") == texts:
            return 0
        print("The demo's texts have changed. Draw its picture again: python .ci/build_picture.py")
        return 1
    TEXTS.write_text(texts, "utf-8")
    page = page.replace('<details class="envelope">', '<details class="envelope" open>')
    page = FRAME.sub(lambda frame: LETTER.format(unescape(frame[1])), page)
    photograph(page.replace("</head>", f"<style>{STYLE}</style></head>", 1))
    size = PICTURE.stat().st_size
    print(f"{PICTURE.name}: {size:,} bytes")
    return int(size > LIMIT)


def lines(report: Report) -> Iterator[str]:
    """Yield what readers see, network by network."""
    for device in (device for section in report.sections for device in section.devices):
        for card in device.cards:
            yield from (
                f"── {device.look.name} · {card.stage} {card.entry.at:%H:%M}",
                card.title,
                card.text.strip(),
                "",
            )


def photograph(page: str) -> None:
    """Store a page as the picture."""
    with tempfile.TemporaryDirectory() as folder:
        source, shot = Path(folder) / "demo.html", Path(folder) / "demo.png"
        source.write_text(page, "utf-8")
        browser = [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{HEIGHT}",
            f"--force-device-scale-factor={SCALE}", f"--screenshot={shot}", source.as_uri(),
        ]  # fmt: skip
        subprocess.run(browser, check=True, capture_output=True, timeout=120)  # noqa: S603 - fixed arguments
        with Image.open(shot) as taken:
            image = taken.convert("RGB")
        empty = Image.new("RGB", image.size, image.getpixel((0, image.height - 1)))
        *_, bottom = ImageChops.difference(image, empty).getbbox() or (0, 0, 0, image.height)
        # Without loss it is smaller than with any: most of it has few colours.
        image.crop((0, 0, image.width, bottom + 16 * SCALE)).save(PICTURE, "WEBP", lossless=True, quality=100)


if __name__ == "__main__":
    sys.exit(main())
