"""The French catalogue: nothing lacks, nothing is stale, and each text has one meaning."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.catalogue.catalogue import Catalogue, catalogue_of
from policenotify.catalogue.template import Template, split_template
from policenotify.cli.commands.networks import network_info
from policenotify.networks.registry import networks

ROOT = Path(__file__).parents[3]
SHORTEST = 8  # characters
SPACE = "\N{NO-BREAK SPACE}"


def _tool() -> ModuleType:
    spec = spec_from_file_location("ci_catalogue", ROOT / ".ci" / "catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TOOL = _tool()


@pytest.fixture(scope="module")
def french() -> Catalogue:
    catalogue = catalogue_of("fr")
    assert catalogue is not None
    return catalogue


def example(template: Template) -> str:
    """Return a text of the template: a number, a text of the catalogue or a name in each slot."""
    values = [
        str(number + 2) if number in template.numbers else "unconfirmed" if number in template.nested else f"x{number}"
        for number in range(len(template.literals) - 1)
    ]
    return "".join(literal + value for literal, value in zip(template.literals, [*values, ""], strict=True))


def test_no_text_of_the_source_lacks_its_translation() -> None:
    assert [f"{text.file}:{text.line} {text.template}" for text in TOOL.missing("fr")] == []


def test_each_option_of_a_network_of_ours_is_explained_in_french(french: Catalogue) -> None:
    explained = [
        text
        for network in networks()
        if network.package == "policenotify"
        for info in [network_info(network, "")]
        for text in (info.about, *(option.meaning for option in info.options))
    ]
    assert [text for text in explained if french.find(str(text)) is None] == []


def test_each_template_finds_itself_in_its_own_example(french: Catalogue) -> None:
    found = {english: french.find(example(template)) for english, template in french.templates.items()}
    assert {
        english: other.english if other else None
        for english, other in found.items()
        if other is not french.templates[english]
    } == {}


def test_each_translation_uses_each_value(french: Catalogue) -> None:
    """A value left out would be a name or a command that the officer needs."""
    lacking = {
        english
        for english, template in french.templates.items()
        for text in template.translations
        if {slot.number for slot in split_template(text)[1]} != set(range(len(template.literals) - 1))
    }
    assert lacking == set()


def test_no_text_that_is_all_values_is_a_template(french: Catalogue) -> None:
    """It would match anything."""
    assert [
        english
        for english, template in french.templates.items()
        if not re.search(r"[^\W\d_]", "".join(template.literals))
    ] == []


def test_no_template_that_begins_with_a_value_is_too_short(french: Catalogue) -> None:
    """It would match texts that are not of it."""
    short = [
        english
        for english, template in french.templates.items()
        if not template.literals[0] and not template.numbers
        if template.weight < SHORTEST
    ]
    assert short == []


def test_french_has_its_spaces_and_quotes(french: Catalogue) -> None:
    texts = [text for template in french.templates.values() for text in template.translations]
    assert [text for text in texts if re.search(r"\w [:;!?»](?=\s|$)|« ", text)] == []
    assert [text for text in texts if re.search(rf"[^{SPACE}]»|«[^{SPACE}]", text)] == []


@given(st.lists(st.one_of(st.text(max_size=20), st.sampled_from(["X refused the post: ", "It waits: ", "\n", " · "]))))
def test_any_text_is_translated(pieces: list[str]) -> None:
    """A receipt may hold any words of a server."""
    french = catalogue_of("fr")
    assert french is not None
    text = "".join(pieces)
    assert isinstance(french.translate(text), str)
    assert french.translate(text) == french.translate(text)


ENGLISH_AND_FRENCH = """
Nothing was sent: the message may not go out as it is. The refusal is recorded as 01ABC.⏎  PN112 block · headline: \
There is no word in it. Describe in a few words what happens.
= Rien n'a été envoyé : le message ne peut pas partir tel quel. Le refus est au journal sous 01ABC.⏎  PN112 BLOQUANT · \
titre (headline) : Il ne contient aucun mot. Décrivez en quelques mots ce qui se passe.
PN112 block · headline: There is no word in it. Describe in a few words what happens.
= PN112 BLOQUANT · titre (headline) : Il ne contient aucun mot. Décrivez en quelques mots ce qui se passe.
PN202 second · headline “Jean Dupont”: The text names a person. Remove the name: age, \
commune or public office are enough.
= PN202 à faire relire · titre « Jean Dupont » : Le texte nomme une personne. Retirez le nom : l'âge, \
la commune ou la fonction publique suffisent.
PN405 advise · headline “Evitez”: Readers may stumble over this word. Write “Évitez”.
= PN405 conseil · titre « Evitez » : Des lecteurs peuvent buter sur ce mot. Écrivez « Évitez ».
Give next_update_at, by default in an hour: 2026-11-26 19:30 (--next-update +1h). Else give starts_at or expires_at.
= Donnez l'heure du prochain point (--next-update +1h, soit 26/11/2026 19:30), du début (--starts) ou de la fin \
(--expires).
Nothing was sent. Incident '2026-4711' has ended. What may follow: correction. If the danger has returned, open a new \
incident with follows='2026-4711'.
= Rien n'a été envoyé. L'incident « 2026-4711 » est terminé. Ce qui peut suivre : rectificatif. Si le danger est \
revenu, ouvrez un nouvel incident avec follows='2026-4711'.
An earlier attempt may be out; now the network refuses it: X refused the post: “Status is a riddle.”
= Un essai précédent est peut-être publié ; maintenant le réseau le refuse : X a refusé le message : \
“Status is a riddle.”
The mail server cannot be reached: its name is not found.
= Le serveur de courriel est injoignable : son nom est introuvable.
The connection to the SMS gateway was lost before its answer came.
= La connexion avec la passerelle SMS a été perdue avant sa réponse.
The webhook's receiver gave no usable answer while being asked; this attempt posted nothing.
= Le destinataire du webhook n'a pas donné de réponse utilisable pendant une question ; cet essai n'a rien publié.
✘ 1 waiting (alertes), 2 refused (mail, sms), 1 posted
= ✘ 1 en attente (alertes), 2 refusés (mail, sms), 1 publié
is Police on feed (http://127.0.0.1/). It was blocked, and is resumed. Its address is not encrypted: readers may get \
forged alerts. Serve it by https.
= est Police sur feed (http://127.0.0.1/). Il était bloqué, et reprend. Son adresse n'est pas chiffrée : les lecteurs \
peuvent recevoir de fausses alertes. Servez-la par https.
is 127.0.0.1 on webhook. It was blocked, and is resumed
= est 127.0.0.1 sur webhook. Il était bloqué, et reprend
2 of the feed's items cannot be read, so that it may show as open what is over: items/a.json. Put it back from a \
copy. Then: policenotify feed rebuild
= 2 éléments du flux sont illisibles : le flux montre peut-être comme en cours ce qui est terminé : items/a.json. \
Remettez-le depuis une copie. Puis : policenotify feed rebuild
It was worded for @police34; 'x' is now @police30.
= Il était rédigé pour @police34 ; « x » est maintenant @police30.
Nothing was sent. Incident 't2' is already open. Open now: t2 (fire, Le Mans, opened 2026-11-27 04:55); t1 (fire, \
opened 2026-11-27 04:50). What may follow: update, end.
= Rien n'a été envoyé. L'incident « t2 » est déjà ouvert. Ouverts maintenant : t2 (fire, Le Mans, ouvert le 27/11/2026 \
04:55) ; t1 (fire, ouvert le 27/11/2026 04:50). Ce qui peut suivre : mise à jour, fin.
Nothing was sent. a.json does not hold a message: write one JSON object, not a list or a text.
= Rien n'a été envoyé. a.json ne contient pas un message : écrivez un objet JSON, pas une liste ni un texte.
language (--language): write a language such as fr, oc or pt-BR
= langue (--language) : écrivez une langue telle que fr, oc ou pt-BR
severity (--severity): Input should be 'Extreme', 'Severe' or 'Unknown'
= gravité (--severity) : doit être 'Extreme', 'Severe' ou 'Unknown'
channels: is missing.
= channels : manque.
The journal could not be read: its server cannot be reached, or does not accept the user, password or database. Check \
that it runs, and that the settings name the right ones; its log has the reason. Nothing was sent that is not in it.
= Le journal n'a pas pu être lu : son serveur est injoignable, ou n'accepte pas l'utilisateur, le mot de passe ou la \
base. Vérifiez qu'il tourne, et que les réglages nomment les bons ; son propre journal en donne la raison. Rien \
n'a été envoyé qui n'y soit inscrit.
journal: the file url cannot be read (Permission denied). Write the value into it. (It comes from the environment \
variable POLICENOTIFY_JOURNAL.)
= journal : le fichier url ne peut pas être lu (accès refusé). Écrivez-y la valeur. (Cela vient de la variable \
d'environnement POLICENOTIFY_JOURNAL.)
The settings a.toml cannot be read (Permission denied).
= Les réglages a.toml ne peuvent pas être lus (accès refusé).
desk/policenotify.toml has other settings. Nothing was written: choose another directory.
= desk/policenotify.toml contient d'autres réglages. Rien n'a été écrit : choisissez un autre dossier.
channels.bluesky.timeout: Input should be a valid number, unable to parse string as a number (It comes from the \
environment variable POLICENOTIFY_CHANNELS__BLUESKY__TIMEOUT.)
= channels.bluesky.timeout : doit être un nombre (Cela vient de la variable d'environnement \
POLICENOTIFY_CHANNELS__BLUESKY__TIMEOUT.)
Unexpected: RuntimeError. Show where: policenotify --debug status …; then report it.
= Inattendu : RuntimeError. Voir où : policenotify --debug status … ; puis signalez-le.
Resume; x: what this file leaves out stays as it is shipped. Remove base.
= Reprendre ; x : ce que ce fichier laisse de côté reste comme livré. Retirez base.
"""


def _pairs() -> list[tuple[str, str]]:
    lines = [line.replace("⏎", "\n") for line in ENGLISH_AND_FRENCH.strip().splitlines()]
    return list(zip(lines[::2], (line.removeprefix("= ") for line in lines[1::2]), strict=True))


@pytest.mark.parametrize(("english", "translated"), _pairs())
def test_a_receipt_or_error_reads_in_french(french: Catalogue, english: str, translated: str) -> None:
    assert french.translate(english).replace(SPACE, " ") == translated
