"""The beginnings and ends of sentences, and the names in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policenotify.render.sentences import paragraph


def test_after_an_address_the_next_sentence_begins_a_line() -> None:
    assert paragraph("Plus d'infos sur www.herault.gouv.fr\nProchain point à 18h30") == (
        "Plus d'infos sur www.herault.gouv.fr\nProchain point à 18h30."
    )
    assert paragraph("Restez prudents\nÉvitez le secteur") == "Restez prudents. Évitez le secteur."
    assert paragraph("") == ""


@given(st.lists(st.sampled_from(["Voir www.herault.gouv.fr", "Évitez le secteur", "Attention !", ""]), max_size=5))
def test_no_sentence_runs_on_after_an_address(lines: list[str]) -> None:
    for line in paragraph("\n".join(lines)).splitlines():
        assert "gouv.fr " not in line
