"""Whatever file is imported as a CAP alert, it is read or refused, soon."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from policenotify.errors import InvalidAlert
from policenotify.formats.cap.fields import imported
from policenotify.model.message import Message
from policenotify.testing.strategies import nasty_text
from tests.support.alerts import BOMB, CORPUS, VIGILANCE
from tests.support.fuzz import ODD_TEXTS, damaged, only_ours

REAL = [file.read_bytes() for file in sorted(CORPUS.glob("*.cap")) if file.stat().st_size < 20_000]


@st.composite
def filled(draw: st.DrawFn) -> bytes:
    """Generate a real alert in which texts are replaced by odd ones."""
    parts = VIGILANCE.read_text("utf-8").split(">")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(parts) - 1))
        text = draw(st.sampled_from(ODD_TEXTS) | nasty_text(max_parts=3))
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        _, mark, tag = parts[at].rpartition("<")
        parts[at] = f"{text}{mark}{tag}"
    return ">".join(parts).encode("utf-8", "replace")


@given(st.sampled_from(REAL).flatmap(damaged) | filled() | st.binary(max_size=200))
@example(BOMB)
@example(VIGILANCE.read_bytes())
def test_any_file_is_read_or_refused(content: bytes) -> None:
    with only_ours(InvalidAlert):
        done = imported(content, codes={}, language="fr", category="fire")
        if "headline" in done.fields or done.kind != "Cancel":
            Message.model_validate(done.fields)
