"""Each check, with messages that pass and messages that do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from policenotify.checks import CHECKS, CheckContext, Rule, run_checks
from policenotify.findings import Finding, Level
from policenotify.model import places
from policenotify.model.history import History, HistoryEntry
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.publishing.defaults import fill_defaults
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile
from policenotify.testing.samples import PARIS, SAMPLES, Sample

NOW: Final = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)
SOON: Final = NOW + timedelta(minutes=30)
FIRST: Final = "01JZ0000000000000000000001"
OPENING: Final = {"stage": "opening", "incident": "i1"}
UPDATE: Final = {"stage": "update", "incident": "i1"}
END: Final = {"stage": "end", "incident": "i1"}
CORRECTION: Final = {"stage": "correction", "incident": "i1", "corrects": FIRST}


def _message(**fields: Any) -> Message:
    accident = {
        "category": "traffic_accident",
        "lifecycle": OPENING,
        "location": {"commune": "34172", "street": "avenue de Toulouse"},
        "headline": "Accident de la circulation",
        "instruction": "Évitez le secteur.",
        "next_update_at": SOON,
    }
    return Message.model_validate({**accident, **fields})


def _history(commune: str = "34172") -> History:
    opening = _message(location={"commune": commune})
    return History(incident="i1", entries=(HistoryEntry(publication=FIRST, sequence=1, message=opening, at=NOW),))


def _draft(message: Message, history: History | None = None, profile: CategoryProfile | None = None) -> CheckContext:
    begins = message.stage in {Stage.OPENING, Stage.STANDALONE}
    return CheckContext(
        message=message,
        profile=profile or PROFILES[message.category],
        history=history or (History() if begins else _history()),
        is_commune=lambda code: places.commune(code) is not None,
        zone=PARIS,
        now=NOW,
    )


def _typed(**fields: Any) -> CheckContext:
    """Return a draft as the checks see it: with the typed text, and with what is left of it."""
    typed = _message(**{"category": "police_operation", "location": None, **fields})
    profile = PROFILES[typed.category]
    resolved = fill_defaults(typed, profile, sender="Police", incident=None)
    return replace(_draft(resolved), typed=typed)


def _of(sample: Sample) -> CheckContext:
    return replace(_draft(sample.resolved, sample.history), now=sample.at)


LINE: Final = {"type": "LineString", "coordinates": [[3.8772, 43.6109], [3.879, 43.6121]]}


def _partners(*formats: str, place: dict[str, Any] | None = None, **fields: Any) -> CheckContext:
    """Return the draft of a closure, where a feed has these formats for traffic partners."""
    location = {"commune": "34172", "street": "avenue de Toulouse", "precision": "exact", **(place or {})}
    message = _message(**{"category": "road_closure", "location": location, **fields})
    return replace(_draft(message), traffic=frozenset(formats))


NAMELESS: Final = CategoryProfile(code="drone", labels={"fr": "Drone"}, opens_incident=True)
FLYING: Final = {"category": "drone", "headline": "Un drone survole le stade"}
PICTURE: Final = "Carte du quartier avec la déviation"

GOOD: Final[dict[str, list[CheckContext]]] = {
    "PN101": [
        _draft(_message(location={"road": {"road": "A9"}})),
        _draft(_message(category="scam_cyber", lifecycle={}, location=None)),
    ],
    "PN102": [
        # Its code has gone since the opening, but the end is owed to those who got it.
        _draft(_message(lifecycle=END, location={"commune": "34999"}), _history("34999")),
    ],
    "PN103": [
        _draft(_message(lifecycle=END, severity="Extreme", instruction="")),
        _draft(_message(category="scam_cyber", lifecycle={}, instruction="", severity="Severe")),
    ],
    "PN104": [
        _draft(_message(next_update_at=None, starts_at=NOW)),
        _draft(_message(next_update_at=None, expires_at=SOON)),
        _draft(_message(next_update_at=None, lifecycle=END)),
    ],
    "PN107": [
        _draft(_message(category="scam_cyber", lifecycle={})),
    ],
    "PN109": [
        _draft(_message(next_update_at=None)),
        _draft(_message(next_update_at=NOW + timedelta(days=1), category="weather_relay")),
    ],
    "PN110": [
        _draft(_message(lifecycle=END, instruction="La circulation est rétablie.")),
        _draft(_message(lifecycle=END, headline="Vous pouvez rentrer chez vous", instruction="")),
        _draft(_message(lifecycle=END, language="en", headline="Over", instruction="The road has reopened.")),
    ],
    "PN111": [
        _draft(_message(headline="Exercice de sécurité civile au port")),
    ],
    "PN115": [
        _draft(_message(lifecycle=END, instruction="La circulation est rétablie.")),
        _draft(_message(lifecycle=END, description="La rue n'est plus fermée et la circulation est rétablie.")),
        _draft(_message(lifecycle=END, language="en", headline="Over", instruction="There is no danger.")),
        _draft(_message(lifecycle=UPDATE, description="La circulation n'est pas encore rétablie.")),
    ],
    "PN116": [
        *(
            _draft(_message(link=link))
            for link in (
                None,
                "https://www.police-nationale.interieur.gouv.fr/actualites?id=1",
                "https://préfecture-hérault.fr/",
                "https://пример.рф/",  # one script throughout
            )
        ),
        *(
            replace(_draft(_message(link=link)), links=(".gouv.fr", "police.example", "xn--prfecture-c4a.example"))
            for link in (
                "https://préfecture.example/",
                "https://www.herault.gouv.fr/a",
                "https://police.example./",
            )
        ),
    ],
    "PN117": [
        _partners("cifs", "datex", place={"polyline": LINE}),
        _partners("datex", place={"point": {"latitude": 43.6, "longitude": 3.88}}),
        _partners("cifs", lifecycle={"stage": "standalone"}, place={"polyline": LINE}, expires_at=SOON),
        replace(
            _partners("cifs", lifecycle=UPDATE, location=None),
            history=replace(
                _history(),
                entries=(
                    replace(_history().entries[0], message=_partners(place={"polyline": LINE}).message),
                    replace(_history().entries[0], message=_message(location=None)),
                ),
            ),
        ),
    ],
    "PN210": [
        _typed(category="police_operation", location={"street": "avenue du 8 Mai 1945", "label": "ligne 3, km 12"}),
        _typed(category="road_closure", location={"street": "14 rue des Lilas"}),
    ],
}

BAD: Final[dict[str, list[tuple[CheckContext, Level, str]]]] = {
    "PN101": [
        (_draft(_message(location=None)), Level.BLOCK, "location"),
        (_draft(_message(lifecycle=END, location=None)), Level.BLOCK, "location"),
    ],
    "PN102": [
        (_draft(_message(location={"commune": "34999"})), Level.BLOCK, "location.commune"),
    ],
    "PN103": [
        (_draft(_message(instruction="")), Level.ADVISE, "instruction"),
        (_draft(_message(instruction=" … ", severity="Severe")), Level.SECOND, "instruction"),
        (_draft(_message(instruction="", severity="Severe", lifecycle=UPDATE)), Level.BLOCK, "instruction"),
        (
            _draft(_message(translations=[{"language": "en", "headline": "Accident"}], severity="Severe")),
            Level.ADVISE,
            "translations.en.instruction",
        ),
    ],
    "PN104": [
        (_draft(_message(next_update_at=None)), Level.ADVISE, "next_update_at"),
        (_draft(_message(next_update_at=None, category="fire", instruction="")), Level.SECOND, "next_update_at"),
        (
            _draft(_message(next_update_at=None, category="fire", instruction="", lifecycle=UPDATE)),
            Level.BLOCK,
            "next_update_at",
        ),
        # What people must do never waits for an hour.
        (_draft(_message(next_update_at=None, severity="Extreme", lifecycle=UPDATE)), Level.ADVISE, "next_update_at"),
    ],
    "PN105": [
        (_draft(_message(images=[{"alt": alt, "path": Path("a.png")}])), Level.BLOCK, "images.0.alt")
        for alt in (
            "IMG_20260605_174200",
            "carte-de-montpellier-centre.JPG",
        )
    ]
    + [
        (
            _draft(
                _message(
                    images=[{"alt": PICTURE, "path": Path("a.png")}],
                    translations=[{"language": "en", "headline": "Accident", "instruction": "Go", "alts": ["A map"]}],
                )
            ),
            Level.BLOCK,
            "translations.en.alts.0",
        )
    ],
    "PN107": [
        (_draft(_message(lifecycle=END), History(incident="i1")), Level.BLOCK, "lifecycle.incident"),
        (
            _draft(_message(lifecycle={**CORRECTION, "corrects": FIRST[:-1] + "9"})),
            Level.BLOCK,
            "lifecycle.corrects",
        ),
    ],
    "PN108": [(_draft(_message(expires_at=NOW)), Level.BLOCK, "expires_at")],
    "PN109": [
        (_draft(_message(next_update_at=NOW)), Level.BLOCK, "next_update_at"),
        # 17h30 typed at 17h42 is tomorrow's
        (_draft(_message(next_update_at=NOW + timedelta(hours=23, minutes=48))), Level.ADVISE, "next_update_at"),
        (_draft(_message(lifecycle=END)), Level.ADVISE, "next_update_at"),
    ],
    "PN110": [
        (_draft(_message(lifecycle=END, headline="Fin de dispositif", instruction="")), Level.ADVISE, "instruction"),
        *(
            (_draft(_message(lifecycle=END, headline="Fin", instruction=text)), Level.ADVISE, "instruction")
            for text in ("La circulation n'est pas encore rétablie.", "Le rétablissement prendra deux heures.")
        ),
    ],
    "PN111": [
        (_draft(_message(headline="EXERCICE – Accident")), Level.BLOCK, "exercise"),
        (_draft(_message(headline="EXERCICE : accident", exercise=True)), Level.ADVISE, "headline"),
    ],
    "PN112": [
        (_draft(_message(headline="🚨 !")), Level.BLOCK, "headline"),
    ],
    "PN115": [
        *(
            (_draft(_message(lifecycle=END, description=text)), Level.ADVISE, "description")
            for text in (
                "La circulation n'est pas encore rétablie.",
                "Le périmètre est levé, mais vous ne pouvez pas encore regagner vos logements.",
                "Circuler normalement n'est pas possible.",
            )
        ),
        (
            _draft(_message(lifecycle=END, language="en", headline="Over", description="The road hasn't reopened.")),
            Level.ADVISE,
            "description",
        ),
    ],
    "PN116": [
        (  # no coded form of anything
            replace(_draft(_message(headline="Voir https://xn--999999999.example/")), links=(".gouv.fr",)),
            Level.BLOCK,
            "headline",
        ),
        *(
            (_draft(_message(link=link)), Level.BLOCK, "link")
            for link in (
                "https://\u0440olice.fr/",  # a Cyrillic letter
                "https://xn--olice-uye.fr/",  # the same, coded
                "https://2130706433/",
                "https://[::1]/",
                "https://\u0261ouv.fr/",  # a phonetic letter
                "https://police.fr\u3002attack.example/",  # an ideographic full stop
            )
        ),
        *(
            (_draft(_message(link=link)), Level.ADVISE, "link")
            for link in ("http://www.herault.gouv.fr/", "https://xn--prfecture-c4a.example/")
        ),
        *(
            (replace(_draft(_message(link=link)), links=(".gouv.fr", "police.example")), Level.BLOCK, "link")
            for link in (
                "https://police.fr.evil.example/",
                "https://evilgouv.fr/",
                f"https://{64 * 'a'}.example/",  # longer than a label may be
                "https://www.police.example/",
            )
        ),
        (
            replace(_draft(_message(headline="Détails sur evil.com")), links=(".gouv.fr",)),
            Level.BLOCK,
            "headline",
        ),
        (_draft(_message(headline="Voir https://\u0440olice.fr/a")), Level.BLOCK, "headline"),
    ],
    "PN117": [
        (draft, Level.ADVISE, "location.polyline")
        for draft in (
            _partners("cifs"),
            _partners("cifs", place={"polyline": LINE, "precision": "street"}),
            _partners("cifs", place={"polyline": LINE}, category="recruitment"),
            _partners("cifs", place={"polyline": LINE}, lifecycle={"stage": "standalone"}),
            replace(_partners("cifs", lifecycle=UPDATE, location=None), history=History()),
            replace(_partners("cifs"), typed=_partners(place={"polyline": LINE}).message),
        )
    ],
    "PN210": [
        (_typed(category="fire", headline="Feu au 14 rue des Lilas"), Level.ADVISE, "headline"),
        (_draft(_message(category="police_operation", description="Au 12, rue Foch")), Level.SECOND, "description"),
        (  # the whole field is removed
            _typed(category="missing_person", location={"between": ["12 rue Foch", "rue Curie"]}),
            Level.ADVISE,
            "location.between.0",
        ),
        (_typed(headline="Opération au 12 bis, rue Foch"), Level.ADVISE, "headline"),
        (
            _typed(location={"street": "rue Foch"}, instruction="Évitez le 12, rue Foch."),
            Level.ADVISE,
            "instruction",
        ),
    ],
    "PN405": [(_draft(_message(headline="Evitez l'avenue")), Level.ADVISE, "headline")],
}


def _remarks(code: str, draft: CheckContext) -> tuple[Finding, ...]:
    return run_checks(draft, [one for one in CHECKS if one.code == code])


@pytest.mark.parametrize(("code", "draft"), [(code, draft) for code, drafts in GOOD.items() for draft in drafts])
def test_right_messages_pass(code: str, draft: CheckContext) -> None:
    assert _remarks(code, draft) == ()


@pytest.mark.parametrize(
    ("code", "draft", "level", "field"), [(code, *case) for code, cases in BAD.items() for case in cases]
)
def test_wrong_messages_have_findings(code: str, draft: CheckContext, level: Level, field: str) -> None:
    (finding,) = _remarks(code, draft)
    assert (finding.code, finding.level, finding.field) == (code, level, field)
    assert str(finding.reason).endswith(".")
    assert str(finding.remedy).endswith((".", "!"))
    if finding.span:
        start, end = finding.span
        assert 0 <= start < end <= len(draft.message.headline)


def test_every_check_has_a_code_a_basis_and_examples() -> None:
    codes = [one.code for one in CHECKS]
    assert codes == sorted(set(codes))
    assert list(BAD) == sorted(BAD)
    # The rules about words have their examples in tests/corpus, those of several fields in publishing/test_defaults.py.
    assert [code for code in codes if code < "PN2" and code not in BAD] == [], "add rows to BAD and GOOD"
    assert all(one.title and one.basis for one in CHECKS)


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.id for sample in SAMPLES])
def test_usual_messages_pass_all_checks(sample: Sample) -> None:
    assert [str(finding) for finding in run_checks(_of(sample)) if finding.blocks] == []


def test_forbidding_findings_come_first_then_the_order_of_the_checks() -> None:
    message = _message(location=None, next_update_at=None, instruction="", expires_at=NOW)
    found = [(finding.code, str(finding.level)) for finding in run_checks(_draft(message))]
    assert found == [("PN101", "block"), ("PN108", "block"), ("PN103", "advise")]


def test_an_installation_adds_a_check_of_its_own() -> None:
    def shouting(draft: CheckContext) -> list[Finding]:
        loud = draft.message.headline.isupper()
        remark = Finding(code="X1", level=Level.ADVISE, field="headline", reason="It shouts.", remedy="Do not.")
        return [remark] if loud else []

    own = Rule(code="X1", title="No shouting", basis="House rule", find=shouting)
    assert [found.code for found in run_checks(_draft(_message(headline="ACCIDENT")), (*CHECKS, own))] == ["X1"]
    assert run_checks(_draft(_message()), (*CHECKS, own)) == ()


def test_words_that_were_dropped_in_are_checked_with() -> None:
    german = LOCALES["en"].model_copy(update={"language": "de", "exercise": "ÜBUNG", "all_clear": ("wieder frei",)})
    words = {**LOCALES, "de": german}
    end = _draft(_message(lifecycle=END, language="de-CH", instruction="Der Einsatz ist vorbei."))
    assert "PN110" not in {found.code for found in run_checks(end)}
    assert "PN110" in {found.code for found in run_checks(replace(end, locales=words))}
    free = _draft(_message(lifecycle=END, language="de-CH", instruction="Die Straße ist wieder frei."))
    assert "PN110" not in {found.code for found in run_checks(replace(free, locales=words))}
    drill = _draft(_message(headline="ÜBUNG: Brand"))
    assert "PN111" not in {found.code for found in run_checks(drill)}
    assert "PN111" in {found.code for found in run_checks(replace(drill, locales=words))}
