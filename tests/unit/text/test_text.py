"""Counting, cleaning, linking and fitting texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
from policenotify.text import Budget, graphemes
from policenotify.text.characters import clean, one_line
from policenotify.text.comparison import contains_words, fold
from policenotify.text.fit import MAX_POSTS, Part, fit, shorten, split_thread
from policenotify.text.links import find_links

OVERRIDES = "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u00ad\u061c"
FAMILY = "👨‍👩‍👧‍👦"
WALES = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"


def test_a_budget_names_the_count_by_which_a_text_is_too_long() -> None:
    budget = Budget(120, graphemes, 3000)
    assert budget.fits(FAMILY * 120)
    assert budget.usage(FAMILY * 120) == (120, 120)
    assert budget.usage(FAMILY * 121) == (121, 120)
    assert Budget(300, graphemes, 3000).usage(FAMILY * 121) == (3025, 3000)
    assert Budget(3).fits("abc")
    assert not Budget(3).fits("abcd")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Rue \u202eétroite\u202c", "Rue étroite"),
        ("a\u200bb\ufeffc\u00add", "abcd"),
        ("\x1b[31mrouge\x07", "[31mrouge"),
        ("un\r\n\r\n\r\n\r\ndeux\u2028trois", "un\n\ndeux\ntrois"),
        ("e\u0301te\u0301", "été"),
        (f"{FAMILY} 👮‍♀️ ✏️ 🧑🏽‍🚒 {WALES} 1\ufe0f\u20e3", f"{FAMILY} 👮‍♀️ ✏️ 🧑🏽‍🚒 {WALES} 1\ufe0f\u20e3"),
        ("a\u200db\ufe0f\u200d👮", "ab👮"),
        ("می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष"),
    ],
)
def test_invisible_characters_are_removed_unless_they_carry_meaning(written: str, read: str) -> None:
    assert clean(written) == read


@given(nasty_text(max_parts=20))
def test_cleaning_twice_changes_nothing_and_leaves_nothing_invisible(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not set(cleaned) & set(OVERRIDES)
    assert all(sign >= " " or sign == "\n" for sign in cleaned)
    assert "\n" not in one_line(text)


def test_texts_are_compared_without_accents_case_and_punctuation() -> None:
    assert fold("L'Haÿ-les-Roses, À 18h30 !") == "l hay les roses a 18h30"
    assert contains_words("Le PONT Sadi Carnot est rouvert", "pont Sadi-Carnot")
    assert not contains_words("Prochain point à 18h30", "8h30")
    assert not contains_words("Accident", "")


def _cut(text: str, limit: int) -> str:
    return shorten(text, lambda shorter: len(shorter) <= limit)


@pytest.mark.parametrize(
    ("text", "limit", "left"),
    [
        ("Circulation très difficile. Une voie est fermée.", 40, "Circulation très difficile."),
        ("On parle de « gaz toxique ». Fermez vos fenêtres.", 40, "On parle de « gaz toxique »."),
        ("Court. Une phrase bien plus longue que la première.", 40, ""),
        ("事故" * 30, 21, ""),
        ("https://police.example/" + "a" * 60, 40, ""),
    ],
)
def test_a_shortened_text_ends_with_a_sentence(text: str, limit: int, left: str) -> None:
    assert _cut(text, limit) == left


@given(nasty_text(max_parts=30), st.integers(1, 120))
def test_a_cut_text_is_a_beginning_short_enough_with_every_span_whole(text: str, limit: int) -> None:
    shorter = _cut(text, limit)
    assert len(shorter) <= limit
    assert text.startswith(shorter)
    before = {(span.start, span.end) for span in find_links(text)}
    assert all(not start < len(shorter) < end for start, end in before)


LEAD, DO = "[#Accident] Accident avenue de Toulouse.", "Évitez le secteur."


@given(
    st.lists(st.tuples(nasty_text(), st.sampled_from(("required", "sentences", "droppable"))), max_size=6),
    st.integers(0, 200),
)
def test_any_parts_fit_or_only_required_ones_are_left(pieces: list[tuple[str, str]], limit: int) -> None:
    parts = [Part(one_line(text), rule, number) for number, (text, rule) in enumerate(pieces)]  # type: ignore[arg-type]  # drawn from the three rules
    budget = Budget(limit, graphemes, 3 * limit)
    fitted = fit(parts, budget)
    required = [part.text for part in parts if part.rule == "required" and part.text]
    assert fitted.fits == budget.fits(fitted.text)
    assert fitted.fits or fitted.text == " ".join(required)
    assert all(text in fitted.text for text in required)
    assert fit(parts, budget) == fitted
    if fitted.fits:  # what was made to fit is left as it is
        again = fit([Part(fitted.text, "sentences")], budget)
        assert (again.text, again.omitted) == (fitted.text, ())


# --- several posts

GAS = (
    Part("EXERCICE –"),
    Part("[#Gaz] Fuite de gaz."),
    Part("Odeur signalée par des riverains.", "sentences", 0, "description"),
    Part("Évitez le secteur. Fermez vos fenêtres. N'appelez pas le 18 pour demander des nouvelles.", "splittable"),
    Part("Prochain point à 18h30."),
    Part("https://police.example/gaz", "droppable", 1, "link"),
)


def test_a_thread_begins_with_what_is_required_and_leaves_nothing_out() -> None:
    assert split_thread(GAS, Budget(90), again="EXERCICE –") == (
        "EXERCICE – [#Gaz] Fuite de gaz. Évitez le secteur. Prochain point à 18h30. (1/3)",
        "EXERCICE – Fermez vos fenêtres. N'appelez pas le 18 pour demander des nouvelles. (2/3)",
        "EXERCICE – Odeur signalée par des riverains. https://police.example/gaz (3/3)",
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "Demandez M. Dupont à l'accueil du gymnase.",
        "Consignes : 2. Emportez vos papiers.",
        "La rue est interdite. Sauf riverains et secours.",
        "Passent encore : - les bus. - les secours.",
    ],
)
def test_no_post_ends_after_an_abbreviation(sentence: str) -> None:
    parts = (Part("[#Gaz] Fuite."), Part(f"Sortez ! {sentence} Merci.", "splittable"))
    whole = f"[#Gaz] Fuite. Sortez ! {sentence}"
    enough = len(f"{whole} (1/2)")
    for limit in range(30, enough):
        assert split_thread(parts, Budget(limit))[0].startswith("[#Gaz] Fuite. Sortez ! (1/")
    assert split_thread(parts, Budget(enough)) == (f"{whole} (1/2)", "Merci. (2/2)")
    assert _cut(f"Quittez les lieux. {sentence}", 28) == "Quittez les lieux."


def test_the_first_sentence_to_do_stands_in_the_first_post_and_what_follows_gives_way() -> None:
    parts = (Part("[#Gaz] Fuite."), Part("Évitez le secteur. Fermez.", "splittable"), Part("Prochain point à 18h30."))
    assert split_thread(parts, Budget(44)) == (
        "[#Gaz] Fuite. Évitez le secteur. (1/2)",
        "Fermez. Prochain point à 18h30. (2/2)",
    )
    assert split_thread(parts, Budget(30)) == ()


def test_a_thread_does_not_help_if_its_first_post_does_not_fit_or_it_never_ends() -> None:
    assert split_thread(GAS, Budget(50)) == ()
    assert split_thread(GAS[:3], Budget(20)) == ()
    assert split_thread((Part("a", "splittable"), Part("b" * 200, "sentences")), Budget(12)) == ()
    assert split_thread((Part("a", "splittable"), Part("https://police.example/gaz", "droppable")), Budget(12)) == ()


@given(
    st.lists(st.tuples(nasty_text(max_parts=20), st.sampled_from(("required", "sentences", "droppable"))), max_size=5),
    nasty_text(max_parts=40),
    st.integers(10, 200),
)
def test_the_posts_of_a_thread_put_together_are_the_text(
    pieces: list[tuple[str, str]], splittable: str, limit: int
) -> None:
    parts = [Part(one_line(text), rule) for text, rule in pieces]  # type: ignore[arg-type]  # drawn from the three rules
    parts.insert(len(parts) // 2, Part(one_line(splittable), "splittable"))
    budget = Budget(limit, graphemes, 3 * limit)
    posts = split_thread(parts, budget)
    assert len(posts) <= MAX_POSTS
    assert all(budget.fits(post) for post in posts)
    if posts:
        bare = [post.removesuffix(f" ({number}/{len(posts)})") for number, post in enumerate(posts, 1)]
        assert [f"{text} ({number}/{len(posts)})" for number, text in enumerate(bare, 1)] == list(posts)
        before = parts[: len(pieces) // 2]  # what follows may give way to the first sentence of the splittable one
        assert all(part.text in bare[0] for part in before if part.rule == "required")
        whole = " ".join(part.text for part in parts).split()
        assert sorted("".join(bare).replace(" ", "")) == sorted("".join(whole))
