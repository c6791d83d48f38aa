"""The command line in French: an incident, mistakes, and the help of every command.

`bash .ci/run regenerate` writes the golden texts. Ids, times and addresses are replaced by signs, because they
differ each time.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policenotify.cli.language import desk_language
from tests.support import golden
from tests.support.installation import Desk
from tests.support.shell import ACCIDENT, Run, with_other
from tests.unit.cli.test_help import EVERY

MOST_WORDS = 40
GOLDEN = Path(__file__).parents[2] / "golden" / "desk"
SIGNS = (
    (re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b"), "<publication>"),
    (re.compile(r"\bcli-[0-9a-f]{40}\b"), "<clé>"),
    (re.compile(r"https://bsky\.app/profile/\S+"), "<adresse>"),
    (re.compile(r"\b\d\d/\d\d/\d{4} \d\d:\d\d(:\d\d)?"), "<heure>"),
    (re.compile(r"\b(?:lun|mar|mercre|jeu|vendre|same)di <heure>|dimanche <heure>"), "<jour> <heure>"),
    (re.compile(r"<jour> <heure> \((?:aujourd'hui|demain)\)"), "<jour> <heure> (<jour>)"),
    (re.compile(r"dans \d+ heures"), "dans <n> heures"),
    (re.compile(r"─+"), "─"),
    (re.compile(r"\d+ sur \d+ ─\n.*?\n ─", re.DOTALL), "<n> sur <n> ─ …"),  # the wording of posts has its own texts
)

INCIDENT = (
    ("preview", *ACCIDENT),
    ("publish", *ACCIDENT),
    ("publish", *ACCIDENT),
    ("status",),
    ("incidents",),
    ("update", "2026-4711", "Une voie rouverte", "--instruction", "Évitez le secteur.", "--next-update", "dans 45 min"),
    ("update", "2026-4711", "Deux voies rouvertes", "--instruction", "Évitez le secteur."),
    ("correct", "2026-4711", "Accident avenue de Lodève", "--street", "avenue de Lodève"),
    ("end", "2026-4711", "Fin d'intervention", "--description", "Circulation rétablie."),
    ("status", "2026-4711"),
    ("incidents", "--all"),
    ("stop", "--reason", "Compte compromis ?"),
    ("status",),
    ("publish", *with_other("--incident", "2026-4712")),
    ("resume",),
    ("drain",),
)  # fmt: skip

MISTAKES = (
    ("publis", "--headline", "Accident"),
    ("journal", "exprot"),
    ("publish", "--categorie", "fire", "--headline", "Feu"),
    ("publish", "--category", "accidents", "--headline", "Accident"),
    ("publish", "--category", "traffic_accident"),
    ("publish", *with_other("--commune", "Saint-Denis")),
    ("publish", *with_other("--commune", "Montpelier")),
    ("publish", *with_other("--next-update", "plus tard")),
    ("publish", *with_other("--next-update", "hier 18h30")),
    ("publish", *ACCIDENT, "--severity", "gravee"),
    ("publish", "message.json"),
    ("publish", *ACCIDENT, "--link", "pas une adresse"),
    ("publish", *ACCIDENT, "--image", "photo.jpg"),
    ("publish", *ACCIDENT, "--to", "facebook"),
    ("publish", "--category", "armed_threat", "--incident", "A1", "--commune", "34172", "--headline", "Individu armé"),
    ("update", "2026-4711", "Une voie rouverte"),
    ("update", "2026-4711", "Deux voies rouvertes", "--instruction", "Évitez le secteur."),
    ("correct", "2026-4711", "Accident avenue de Lodève"),
    ("resume", "facebook"),
    ("resolve", "7", "--posted"),
    ("status", "2026-4711"),
    ("journal", "purge", "--older-than", "longtemps"),
    ("networks", "facebook"),
)  # fmt: skip


def signed(text: str) -> str:
    """Return a text with a sign for whatever differs each time."""
    for pattern, sign in SIGNS:
        text = pattern.sub(sign, text)
    return text


def spoken(run: Run, commands: tuple[tuple[str, ...], ...]) -> str:
    """Return a session in a terminal."""
    parts = []
    for command in commands:
        ran = run(*command)
        # Whatever differs may break a line elsewhere, so paragraphs are joined.
        text = f"{ran.out}{_without_log(ran.err)}"
        if "--help" not in command:
            text = re.sub(r"\n {4}(?=[^ →!])", " ", text)
        parts.append(f"$ policenotify {' '.join(command)}\n{signed(text).strip()}\n[{int(ran.code)}]\n")
    return "\n".join(parts)


def _without_log(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if "The network of" not in line)


SESSIONS = {
    "incident": INCIDENT,
    "mistakes": MISTAKES,
    "help": tuple((*name.split(), "--help") for name in sorted(EVERY)),  # groups keep the order of imports
}


@pytest.fixture
def french(desk: Desk) -> Desk:
    desk.change_settings("zone =", 'language = "fr"\nzone =')
    return desk


@pytest.mark.usefixtures("french")
@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_reads_as_its_golden_text(run: Run, name: str) -> None:
    text, file = spoken(run, SESSIONS[name]), GOLDEN / f"{name}.txt"
    golden.check(file, text)


def test_a_stored_reason_is_read_in_the_language_of_its_reader(run: Run, french: Desk) -> None:
    french.bluesky.closed = "takendown"
    french.mail.refuse_connections()
    trouble = (("publish", *ACCIDENT, "--wait", "1"), ("status",), ("drain", "--budget", "1"))
    text, file = spoken(run, trouble), GOLDEN / "trouble.txt"
    golden.check(file, text)
    doctor = run("doctor").words.replace("\N{NO-BREAK SPACE}", " ")
    assert "canal presse ERREUR Le serveur de courriel est injoignable." in doctor
    assert "Quelque chose ne va pas : voir les lignes marquées ERREUR." in doctor
    blocked = run("status", "--json").document["channels"][0]
    assert blocked["reason"].startswith("Bluesky has taken this account down")


@pytest.mark.parametrize("golden", sorted(path.stem for path in GOLDEN.glob("*.txt") if path.stem != "help"))
def test_every_answer_says_what_to_do_in_at_most_forty_words(golden: str) -> None:
    answers = (GOLDEN / f"{golden}.txt").read_text(encoding="utf-8").splitlines()
    long = [line for line in answers if not line.startswith("$ ") and len(re.findall(r"[\w'’-]+", line)) > MOST_WORDS]
    assert long == []


@pytest.mark.usefixtures("french")
def test_json_is_english_in_every_language(run: Run) -> None:
    refused = run("update", "2026-4711", "Une voie rouverte", "--json")
    assert refused.document["error"]["text"].startswith(
        "Nothing was sent. There is no incident, publication or key '2026-4711'."
    )
    assert run("publish", *ACCIDENT, "--json").document["publication"]["receipts"][0]["outcome"] == "posted"


@pytest.mark.parametrize(
    ("settings", "environment", "language"),
    [
        ('language = "fr"\n', {"LANG": "en_GB.UTF-8"}, "fr"),
        ("", {"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "en_US"}, "en"),
        ("", {"LC_ALL": "", "LANG": "fr"}, "fr"),
        ("", {}, "en"),
        ("not TOML", {"LANG": "fr_BE@euro"}, "fr"),
        ('language = "en"\n', {"POLICENOTIFY_LANGUAGE": "fr"}, "fr"),
        ("not TOML", {"POLICENOTIFY_LANGUAGE": "", "LANG": "fr"}, "fr"),
    ],
)
def test_the_settings_decide_the_language_and_else_the_process(
    tmp_path: Path, settings: str, environment: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "policenotify.toml"
    file.write_text(settings, encoding="utf-8")
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "POLICENOTIFY_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert desk_language(str(file)) == language
    monkeypatch.setenv("POLICENOTIFY_SETTINGS", str(file))
    assert desk_language(None) == language


def test_without_settings_the_help_is_in_the_language_of_the_process(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert "Publier une mise à jour d'un incident." in run("--help").out
    assert "Il n'y a pas de réglages" in run("status").err
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert "Publish an update of an incident." in run("--help").out
