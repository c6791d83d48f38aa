"""What of a message a structured post may carry."""

from __future__ import annotations

from hypothesis import given

from policenotify.model.message import Message
from policenotify.render.renderer import public_message
from policenotify.testing import strategies
from policenotify.text.characters import clean, one_line
from tests.support.feed_items import sample_items

_THREAD = "0123456789abcdef"


@given(strategies.messages(basis=({"who": "prosecutor", "reference": "2026/4711"},)))
def test_no_basis_no_dispatch_id_and_nothing_invisible_is_public(message: Message) -> None:
    public = public_message(message, thread=_THREAD, label="Police")

    assert not public.basis
    assert public.lifecycle.follows is None
    assert public.incident in {None, _THREAD}
    assert (public.incident is None) == (message.incident is None)
    assert Message.model_validate_json(public.model_dump_json()) == public
    for words in public.wordings:
        assert words.headline == one_line(words.headline)
        assert words.description == clean(words.description)


def test_a_title_stays_true_after_the_end() -> None:
    """Titles in feeds never change, so an opening must not read as under way for ever."""
    opening, update, end = sample_items("accident/opening", "accident/update", "accident/end")

    assert (
        opening.title
        == "[Accident] Montpellier, avenue de Toulouse, du centre vers l'A709 – Accident de la circulation"
    )
    assert "[Accident – EN COURS]" in opening.text.replace("#", "")
    assert update.title.startswith("[Accident – MISE À JOUR] ")
    assert end.title.startswith("[Accident – FIN] ")
