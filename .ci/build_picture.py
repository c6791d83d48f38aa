"""Take the README's picture: one incident of `policenotify demo --html`, in headless Chromium, as WebP.

Run it after a change of the page's look: `python .ci/build_picture.py`.
It needs Debian's packages `chromium` and `fonts-noto-color-emoji`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "demo.webp"
SIZE = (1280, 1290)  # pixels: what the desk published, and the opening and update on three networks
LIMIT = 200_000  # bytes, so that the README loads at once
INCIDENT = "<style>.mast, .contents, section.story:not(#s2) { display: none } #s2 { border: 0 }</style></head>"


def main() -> int:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder) / "demo.html", Path(folder) / "demo.png"
        demo = [str(Path(sys.executable).with_name("policenotify")), "demo", "--html", str(page)]
        subprocess.run(demo, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
        page.write_text(page.read_text("utf-8").replace("</head>", INCIDENT, 1), "utf-8")
        browser = [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={folder}/profile", "--window-size={},{}".format(*SIZE), f"--screenshot={shot}",
            page.as_uri(),
        ]  # fmt: skip
        subprocess.run(browser, check=True, capture_output=True, timeout=120)  # noqa: S603 - fixed arguments
        PICTURE.parent.mkdir(exist_ok=True)
        with Image.open(shot) as taken:
            taken.convert("RGB").save(PICTURE, "WEBP", quality=80, method=6)
    size = PICTURE.stat().st_size
    print(f"{PICTURE.name}: {size:,} bytes")
    return int(size > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
