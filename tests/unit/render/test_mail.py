from __future__ import annotations

import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.render.mail import MailParts, Tone, render_mail

ACCIDENT = MailParts(
    language="fr",
    banner="Accident – FIN",
    tone="clear",
    headline="Accident avenue de Toulouse : circulation rétablie",
    place="Montpellier",
    action_first=False,
    facts=(("Lieu", "avenue de Toulouse, Montpellier"), ("Depuis", "17h40")),
    description="L’intervention est terminée.\nMerci de votre patience.",
    instruction="Circulez normalement.",
    instruction_label="Maintenant",
    context="Un accident avait fermé l’avenue à 17h40.",
    link="https://police.example/info?a=1&b=2",
    link_label="Plan de circulation",
    pictures=("Plan du quartier",),
    exercise="EXERCICE – ceci n’est pas réel",
    emergency="Urgence : 17 ou 112.",
    footer="Police nationale, Hérault. Vous êtes inscrit aux alertes.",
    colon=" :",
)


class Page(HTMLParser):
    """Return the HTML as a browser reads it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_html_has_the_same_text_and_loads_nothing_from_outside() -> None:
    _, html = render_mail(ACCIDENT)
    page = Page(html)
    assert page.open == []
    for said in ("EXERCICE", "FIN", "circulation rétablie", "Lieu", "17h40", "Maintenant", "Vous êtes inscrit"):
        assert said in page.said
    assert page.all("html") == [{"lang": "fr", "dir": "ltr"}]
    link, *_ = page.all("a")
    assert link["href"] == "https://police.example/info?a=1&b=2"
    assert "[Plan du quartier]" in page.said
    assert not {name for name, _ in page.tags} & {"img", "script", "link", "iframe", "style", "object", "form"}
    assert re.findall(r"url\(|https?://(?!police\.example)", html) == []


def test_a_severe_mail_gives_the_instruction_before_the_times() -> None:
    for parts, order in ((ACCIDENT, -1), (replace(ACCIDENT, action_first=True), 1)):
        for form in render_mail(parts):
            assert (form.index("17h40") - form.index("Circulez")) * order > 0


def test_the_emergency_numbers_can_be_called() -> None:
    emergency = "Urgence : 17 ou 112. Personnes sourdes : 114 (SMS). Accueil : 04 99 13 50 00."
    page = Page(render_mail(replace(ACCIDENT, emergency=emergency))[1])
    assert [link["href"] for link in page.all("a")][1:] == ["tel:17", "tel:112", "tel:114"]
    assert emergency in page.said


@pytest.mark.parametrize("link", ["javascript:alert(1)", "//evil.example"])
def test_an_address_that_is_not_a_web_page_cannot_be_clicked(link: str) -> None:
    _, html = render_mail(replace(ACCIDENT, link=link, emergency=""))
    assert Page(html).all("a") == []


def test_readers_see_the_host_of_a_link_before_they_follow_it() -> None:
    parts = replace(ACCIDENT, link="https://Police.fr.evil.example/a?<b>", link_label="L")
    assert ">L</a> (police.fr.evil.example)</p>" in render_mail(parts)[1]


@pytest.mark.parametrize("tone", get_args(Tone))
def test_every_banner_can_be_read(tone: Tone) -> None:
    _, html = render_mail(replace(ACCIDENT, tone=tone))
    pairs = re.findall(r"background-color:(#\w{6});color:(#\w{6})", html)
    assert len(pairs) == 2
    for background, text in pairs:
        light, dark = sorted((luminance(background), luminance(text)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, success criterion 1.4.3


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        '"><script>alert(1)</script>',
        "' onload='x",
        "</style><img src=//evil.example>",
        "&lt;b&gt;",
        "\x00<!--",
        "{blocks}",
    ]
)


@given(
    parts=st.builds(
        MailParts,
        tone=st.sampled_from(get_args(Tone)),
        action_first=st.booleans(),
        facts=st.lists(st.tuples(HOSTILE, HOSTILE), max_size=2).map(tuple),
        pictures=st.lists(HOSTILE, max_size=2).map(tuple),
        **dict.fromkeys(
            ("language", "banner", "headline", "place", "description", "instruction", "instruction_label", "context",
             "link", "link_label", "exercise", "emergency", "footer", "colon"),
            HOSTILE,
        ),
    )
)  # fmt: skip
def test_no_words_can_break_out_or_get_lost(parts: MailParts) -> None:
    text, html = render_mail(parts)
    page = Page(html)
    assert page.open == []
    known = {"html", "head", "meta", "title", "body", "div", "p", "h1", "h2", "strong", "br"}
    assert {name for name, _ in page.tags} <= known | {"a"}
    attributes = {name for _, each in page.tags for name in each}
    assert attributes <= {"lang", "dir", "charset", "name", "content", "style", "role", "href"}
    for each in fields(MailParts):
        value = getattr(parts, each.name)
        pairs = value if isinstance(value, tuple) else [str(value)]
        said = [word for pair in pairs for word in ([pair] if isinstance(pair, str) else pair)]
        shown = {"language", "tone", "action_first", "colon"} | (
            {"instruction_label"} if not parts.instruction else set()
        )
        shown |= {"link_label"} if not parts.link else set()
        if each.name not in shown:
            for words in said:
                assert squeezed(words) in squeezed(text)


def squeezed(text: str) -> str:
    return re.sub(r"\s|[\x00-\x1f\x7f]", "", text)


@pytest.mark.parametrize(
    ("headline", "way", "edge"),
    [
        ("حادث مرور", "rtl", "right"),
        ("🚗 A9 – 17: תאונה", "ltr", "left"),
    ],
)
def test_a_text_that_is_written_from_the_right_is_laid_out_so(headline: str, way: str, edge: str) -> None:
    _, html = render_mail(replace(ACCIDENT, headline=headline))
    page = Page(html)
    assert page.all("html")[0].get("dir") == page.all("div")[0].get("dir") == way
    assert f"border-{edge}:4px" in html
