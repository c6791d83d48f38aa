from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import Picture
from policenotify.render.context import RenderContext
from policenotify.render.locales import LOCALES, PROFILES
from policenotify.render.mail import render_mail
from policenotify.render.places import Place
from policenotify.testing.samples import PARIS
from tests.support.wordings import AT, accident

FRENCH = LOCALES["fr"]


def context_of(stage: str = "end", *, words: dict[str, str] | None = None, **fields: Any) -> RenderContext:
    """Return an accident with a link, in which *words* are those of the language."""
    given = {"link": "https://police.example/info?a=1&b=2", "exercise": True, "starts_at": AT} | fields
    message = accident(stage, **given)
    return RenderContext(
        message=message,
        language="fr",
        locale=FRENCH.model_copy(update=words or {}),
        profile=PROFILES["traffic_accident"],
        now=AT,
        zone=PARIS,
        sender="Police nationale, Hérault",
    )


def pictures(*alts: str) -> list[Picture]:
    return [Picture(digest="0" * 64, media_type="image/png", width=1, height=1, alt=alt or "–") for alt in alts]


def mail(context: RenderContext, *alts: str) -> tuple[str, str]:
    return render_mail(context, pictures(*alts), standalone=True)


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
    _, html = mail(context_of(headline="Accident : circulation rétablie"), "Plan du quartier")
    page = Page(html)
    assert page.open == []
    for said in ("EXERCICE", "FIN", "circulation rétablie", "17h42", "Maintenant", "Police nationale, Hérault"):
        assert said in page.said
    assert page.all("html") == [{"lang": "fr", "dir": "ltr"}]
    link, *_ = page.all("a")
    assert link["href"] == "https://police.example/info?a=1&b=2"
    assert "[Plan du quartier]" in page.said
    assert not {name for name, _ in page.tags} & {"img", "script", "link", "iframe", "style", "object", "form"}
    assert re.findall(r"url\(|https?://(?!police\.example)", html) == []


def test_a_severe_mail_gives_the_instruction_before_the_times() -> None:
    for severity, order in (("Moderate", -1), ("Severe", 1)):
        for form in mail(context_of(severity=severity, instruction="Circulez.")):
            assert (form.index("17h42") - form.index("Circulez")) * order > 0


def test_the_emergency_numbers_can_be_called() -> None:
    emergency = "Urgence : 17 ou 112. Personnes sourdes : 114 (SMS). Accueil : 04 99 13 50 00."
    page = Page(mail(context_of(words={"mail_emergency": emergency}))[1])
    assert [link["href"] for link in page.all("a")][1:] == ["tel:17", "tel:112", "tel:114"]
    assert emergency in page.said.replace("\xa0", " ")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "//evil.example"])
def test_an_address_that_is_not_a_web_page_cannot_be_clicked(link: str) -> None:
    context = context_of(words={"mail_emergency": "Urgence"})
    vars(context)["message"] = context.message.model_copy(update={"link": link})
    assert Page(mail(context)[1]).all("a") == []


def test_readers_see_the_host_of_a_link_before_they_follow_it() -> None:
    context = context_of(link="https://Police.fr.evil.example/a?b", words={"mail_link": "L"})
    assert ">L</a> (police.fr.evil.example)</p>" in mail(context)[1]


@pytest.mark.parametrize(
    ("stage", "severity", "background"),
    [
        ("opening", "Severe", "#a3001b"),
        ("opening", "Minor", "#ffd23f"),
        ("end", "Severe", "#1b6b34"),
        ("cancellation", "Severe", "#24405e"),
    ],
)
def test_every_banner_can_be_read(stage: str, severity: str, background: str) -> None:
    _, html = mail(context_of(stage, severity=severity))
    pairs = re.findall(r"background-color:(#\w{6});color:(#\w{6})", html)
    assert len(pairs) == 2
    assert pairs[1][0] == background
    for behind, text in pairs:
        light, dark = sorted((luminance(behind), luminance(text)), reverse=True)
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


OWN = ("headline", "typed_description", "typed_instruction", "back_reference", "label", "source")
WORDS = (
    "mail_link",
    "mail_emergency",
    "exercise_notice",
    "mail_footer",
    "mail_now",
    "mail_issued",
    "mail_source",
    "colon",
)


@given(
    own=st.fixed_dictionaries(dict.fromkeys(OWN, HOSTILE)),
    words=st.fixed_dictionaries(dict.fromkeys(WORDS, HOSTILE)),
    place=HOSTILE,
    link=HOSTILE,
    language=HOSTILE,
    alts=st.lists(HOSTILE, max_size=2),
)
def test_no_words_can_break_out_or_get_lost(
    own: dict[str, str], words: dict[str, str], place: str, link: str, language: str, alts: list[str]
) -> None:
    context = context_of(words={**words, "mail_footer": words["mail_footer"].replace("{", "{{").replace("}", "}}")})
    vars(context).update({**own, "place": Place(place), "language": language})
    vars(context)["message"] = context.message.model_copy(update={"link": link})
    text, html = mail(context, *alts)
    page = Page(html)
    assert page.open == []
    known = {"html", "head", "meta", "title", "body", "div", "p", "h1", "h2", "strong", "br"}
    assert {name for name, _ in page.tags} <= known | {"a"}
    attributes = {name for _, each in page.tags for name in each}
    assert attributes <= {"lang", "dir", "charset", "name", "content", "style", "role", "href"}
    hidden = {"colon"} | ({"mail_now"} if not own["typed_instruction"] else set())
    hidden |= ({"mail_link"} if not link else set()) | ({"mail_source"} if not own["source"] else set())
    said = [*own.values(), *(word for name, word in words.items() if name not in hidden), place, link, *alts]
    for each in said:
        assert squeezed(each) in squeezed(text)


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
    context = context_of()
    vars(context).update(headline=headline, label="")
    _, html = mail(context)
    page = Page(html)
    assert page.all("html")[0].get("dir") == page.all("div")[0].get("dir") == way
    assert f"border-{edge}:4px" in html
