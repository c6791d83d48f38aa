from __future__ import annotations

import email.charset
import re
from email import message_from_string
from email.message import EmailMessage
from email.policy import default as modern
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import Picture, Post, Recipient
from policenotify.networks.email import mime
from tests.support.network_calls import a_post

KEY = "0123456789abcdef" * 4
LETTERHEAD = mime.Mailbox("alertes@police.example", "Police de Montpellier")


def post(**other: object) -> Post:
    fields: dict[str, Any] = {
        "text": "Évitez le secteur.",
        "key": KEY,
        "account": "alertes@police.example",
        "category": "accident",
        "title": "Accident avenue de Toulouse",
        "sender": "Police nationale",
    }
    return a_post(**fields | other)


def picture(digest: str, data: bytes, *, alt: str = "Plan du quartier") -> Picture:
    return Picture(digest=digest * 64, media_type="image/png", width=8, height=8, alt=alt, data=data)


def parsed(raw: str) -> EmailMessage:
    return message_from_string(raw, policy=modern)


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")  # RFC 2046, section 4.1.1: CR LF is how a line ends


def test_the_headers_have_sender_date_and_that_a_machine_wrote_it() -> None:
    sender, answers = mime.Mailbox("alertes@police.example"), mime.Mailbox("com@police.example", "Cellule « com »")
    mail = parsed(mime.compose(post(), sender, reply_to=answers, list_id="alertes.police.example"))
    assert dict(mail.items()) == {
        "From": "Police nationale <alertes@police.example>",
        "Subject": "Accident avenue de Toulouse",
        "Date": "Mon, 02 Mar 2026 06:30:00 +0000",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "fr",
        "MIME-Version": "1.0",
        "Reply-To": "Cellule « com » <com@police.example>",
        "List-Id": "<alertes.police.example>",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": mail["Content-Transfer-Encoding"],
    }


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("Ana@C.Example", "Ana@c.example"),
        ("re\u0301ne@c.example", "réne@c.example"),
        ("nobody", "nobody"),
    ],
)
def test_a_person_is_recognised_in_every_spelling(written: str, form: str) -> None:
    assert mime.spell(written) == form
    assert mime.spell(form) == form


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("Accident", "Subject: Accident\r\n"),
        ("Route " * 20 + "fin", "Subject: " + "Route " * 10 + "\r\n " + "Route " * 10 + "fin\r\n"),
        ("A\r\nBcc: spy@evil.example\r\n\r\nbody", "Subject: A Bcc: spy@evil.example body\r\n"),
    ],
)
def test_a_plain_subject_stays_readable_in_the_source(title: str, written: str) -> None:
    raw = mime.compose(post(title=title), LETTERHEAD)
    assert re.sub(r" +\r\n", " \r\n", written).replace(" \r\n", "\r\n") in raw


@given(title=st.text(max_size=400), sender=st.text(max_size=90), text=st.text(max_size=400), html=st.text(max_size=200))
def test_no_text_can_write_a_header_or_leave_seven_bits(title: str, sender: str, text: str, html: str) -> None:
    letterhead = mime.Mailbox("alertes@police.example")
    raw = mime.compose(post(title=title or "x", sender=sender, text=text, html=html, language="fr\r\nX: y"), letterhead)
    assert raw.isascii()
    assert "\n" not in raw.replace("\r\n", "")
    assert "\r" not in raw.replace("\r\n", "")
    assert max(map(len, raw.split("\r\n"))) <= 100
    head = raw.partition("\r\n\r\n")[0].split("\r\n")
    names = [line.partition(":")[0] for line in head if not line.startswith(" ")]
    content = ["Content-Type"] if html else ["Content-Type", "Content-Transfer-Encoding"]
    assert sorted(names) == sorted(
        ["From", "Subject", "Date", "Auto-Submitted", "Content-Language", "MIME-Version", *content]
    )
    assert parsed(raw)["From"].addresses[0].addr_spec == "alertes@police.example"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=300))
def test_every_subject_comes_back(title: str) -> None:
    assert parsed(mime.compose(post(title=title), LETTERHEAD))["Subject"] == title


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.just("\n"), max_size=36))
def test_every_text_comes_back(text: str) -> None:
    assert part(parsed(mime.compose(post(text=text, html="<p>x</p>"), LETTERHEAD)), "plain") == text + "\n" * (
        not text.endswith("\n")
    )


def test_long_lines_are_broken_between_words_and_never_in_a_url() -> None:
    url = "https://police.example/" + "a-b/" * 30
    text = f"Consignes : {url} à lire. " + "Évitez le secteur, suivez la déviation. " * 4
    read = part(parsed(mime.compose(post(text=text), LETTERHEAD)), "plain")
    lines = read.removesuffix("\n").split("\n")
    assert url in lines
    assert all(len(line) <= 72 for line in lines if line != url)
    assert " ".join(lines).split() == text.split()
    again = part(parsed(mime.compose(post(text=read), LETTERHEAD)), "plain")
    assert again == read


@pytest.mark.parametrize("html", ["", "<p>[Plan]</p><p>[Vue]</p>"])
def test_pictures_are_attached_with_what_they_show(html: str) -> None:
    alts = ("Plan", "Vue de l’été " * 40, 'x =?utf-8?q?=0D=0ABcc:_z?= "x"\r\nBcc: z', "a" * 200)
    pictures = tuple(picture(name, name.encode() * 5000, alt=alt) for name, alt in zip("abcd", alts, strict=True))
    raw = mime.compose(post(html=html, pictures=pictures), LETTERHEAD)
    mail = parsed(raw)
    assert mail.get_content_type() == "multipart/mixed"
    body, *shown = mail.iter_parts()
    assert body.get_content_type() == ("multipart/alternative" if html else "text/plain")
    assert part(mail, "plain") == "Évitez le secteur.\n"
    assert not html or part(mail, "html") == html + "\n"
    assert [cast("EmailMessage", each).get_content() for each in shown] == [each.data for each in pictures]
    described = ["".join(each["Content-Description"].split()) for each in shown]
    assert described == ["".join(alt.split()) for alt in alts]
    assert [each.get_filename() for each in shown] == ["1.png", "2.png", "3.png", "4.png"]
    assert {each.get_content_disposition() for each in shown} == {"attachment"}
    assert max(map(len, raw.split("\r\n"))) <= 90
    assert "Bcc" not in mail


def test_the_mail_is_the_same_every_time_despite_the_process_wide_charset_table() -> None:
    said = post(html="<p>Évitez</p>", title="Déviation", pictures=(picture("a", b"x"),))
    before = mime.compose(said, LETTERHEAD)
    kept = dict(email.charset.CHARSETS)
    try:
        email.charset.add_charset("utf-8", email.charset.BASE64, email.charset.BASE64, "utf-8")
        assert mime.compose(said, LETTERHEAD) == before
        email.charset.add_charset("utf-8", email.charset.QP, email.charset.QP, "utf-8")  # what apprise does
        assert mime.compose(said, LETTERHEAD) == before
    finally:
        email.charset.CHARSETS.clear()
        email.charset.CHARSETS.update(kept)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ('Dupont, "Jo" \\', '"Dupont, \\"Jo\\" \\\\" <a@b.example>'),
        ("é\r\nBcc: x", "=?utf-8?b?w6kgQmNjOiB4?=\r\n <a@b.example>"),
    ],
)
def test_a_mailbox_is_quoted_or_encoded(name: str, written: str) -> None:
    assert str(mime.Mailbox("a@b.example", name)) == written


@pytest.mark.parametrize(
    ("address", "written"),
    [
        (" ana+alertes@c.example\n", "ana+alertes@c.example"),
        ("ana@Straße.example", "ana@xn--strae-oqa.example"),  # IDNA 2003 would mail strasse.example
        ("ana@localhost", "ana@localhost"),
    ],
)
def test_an_address_is_written_in_ascii(address: str, written: str) -> None:
    assert mime.ascii_address(address) == written


@pytest.mark.parametrize(
    "address",
    [
        "", "ana", "@c.example", "ana@c..example", "a b@c.example",
        "ana@c.example, eve@d.example", "ana@c.example\r\nBcc: eve@d.example",
        "ana@c.example>\r\nDATA", "rené@c.example", "a" * 65 + "@c.example",
        "ana@☃☃.", "ana@xn--\udc80.example",
    ],
)  # fmt: skip
def test_an_unmailable_address_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(mime.BadAddress) as caught:
        mime.ascii_address(address)
    assert not address or address not in str(caught.value)


def head_of(recipient: Recipient, thread: tuple[str, ...] = (), unsubscribe: str = "") -> EmailMessage:
    keys = (*thread, KEY)
    head = mime.personal_head(recipient, "ana@c.example", keys, domain="police.example", unsubscribe=unsubscribe)
    return parsed(head.decode())


def test_the_personal_head_threads_the_incident_for_each_person() -> None:
    ana, bob = Recipient(key="ana-key"), Recipient(key="bob-key")
    first = head_of(ana)
    assert re.fullmatch(rf"<{KEY[:32]}\.[0-9a-f]{{16}}@police\.example>", first["Message-ID"])
    assert first["Message-ID"] == head_of(ana)["Message-ID"]
    assert first["Message-ID"] != head_of(bob)["Message-ID"]
    assert first["References"] is None
    earlier = tuple(f"{number:064x}" for number in range(1 << 240, (1 << 240) + 3))
    later = head_of(ana, ("f" * 64, "e" * 64, *earlier))
    references = later["References"].split()
    assert len(references) == 5
    assert later["In-Reply-To"] == references[-1]
    assert references[0].startswith("<" + "f" * 32)
    raw = mime.personal_head(ana, "a@b.example", (*earlier * 30, KEY), domain="police.example", unsubscribe="")
    assert max(line.count(b"@") for line in raw.split(b"\r\n")) == 1  # folded: an id in each line


def test_the_way_out_is_each_persons_own() -> None:
    head = head_of(Recipient(key="k/ü>\r\nX: y"), unsubscribe="https://police.example/u/{recipient}?l=fr")
    assert head["List-Unsubscribe"] == "<https://police.example/u/k%2F%C3%BC%3E%0D%0AX%3A%20y?l=fr>"
    assert head["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert head["X"] is None
