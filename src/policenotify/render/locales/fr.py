"""French: the house style of the accounts of the Police nationale."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from policenotify.model.lifecycle import Stage
from policenotify.render.locales.phrases import Locale, Phrase

FR: Final = Locale(
    language="fr",
    version=3,
    marks=MappingProxyType(
        {
            Stage.UPDATE: "MISE À JOUR",
            Stage.END: "TERMINÉ",
            Stage.CORRECTION: "RECTIFICATIF",
            Stage.CANCELLATION: "ANNULATION",
        }
    ),
    emojis=MappingProxyType(
        {
            Stage.OPENING: "🚨",
            Stage.UPDATE: "🔄",
            Stage.END: "✅",
            Stage.CORRECTION: "✏️",
            Stage.CANCELLATION: "🚫",
            Stage.STANDALONE: "ℹ️",
        }
    ),
    ongoing="en cours",
    exercise="EXERCICE",
    exercise_notice="EXERCICE : ceci n'est pas une situation réelle.",
    colon=" : ",
    dash=" – ",
    place_joint=" ",
    lowers_after_colon=True,
    sets_spaces=True,
    direction="sens {direction}",
    sharp="{hour}h",
    clock="{hour}h{minute:02d}",
    day="{weekday} {day} {month}",
    day_and_year="{weekday} {day} {month} {year}",
    first="1er",
    weekdays=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    months=(
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ),
    since=Phrase("depuis {time}", "depuis le {day} à {time}"),
    starting=Phrase("à partir de {time}", "à partir du {day} à {time}"),
    over=Phrase("à {time}", "{day} à {time}"),
    until=Phrase("Valable jusqu'à {time}", "Valable jusqu'au {day} à {time}"),
    within=Phrase("de {start} à {end}", "{day} de {start} à {end}"),
    across="du {start_day} à {start} au {end_day} à {end}",
    next_update=Phrase("Prochain point à {time}", "Prochain point {day} à {time}"),
    issued="{day} à {time}",
    context=Phrase(
        "Suite de notre message de {time}{colon}{headline}", "Suite de notre message du {day} à {time}{colon}{headline}"
    ),
    context_unknown="Suite de notre message « {label} »",
    context_correction=Phrase("Rectifie notre message de {time}", "Rectifie notre message du {day} à {time}"),
    context_cancellation=Phrase("Notre message de {time} est annulé", "Notre message du {day} à {time} est annulé"),
    more="Suite : {where}",
    reference="Réf. {reference}",
    all_clear=(
        "circuler normalement",
        "circulation est rétablie",
        "circulation rétablie",
        "rétabli",
        "rétablie",
        "rétablies",
        "rétablis",
        "rouvert",
        "rouverte",
        "rouvertes",
        "rouverts",
        "périmètre levé",
        "périmètre est levé",
        "aucun danger",
        "danger est écarté",
        "secteur est sécurisé",
        "regagner",
        "saine et sauve",
        "sain et sauf",
        "ne plus relayer",
        "fin de la déviation",
    ),
    # Not `plus`: where it negates there is a `ne`, and `plus de 200 habitants peuvent regagner…` is an all-clear.
    negations=("ne", "n", "pas", "non", "jamais", "aucun", "aucune"),
    conjunctions=("et", "mais"),
    mail_since="Depuis",
    mail_starting="À partir de",
    mail_over="Fin",
    mail_until="Jusqu'à",
    mail_next_update="Prochain point",
    mail_issued="Publié",
    mail_action="Que faire",
    mail_link="En savoir plus",
    mail_footer="{sender} – En cas d'urgence : 17 ou 112 ; par SMS pour les personnes sourdes ou malentendantes : 114.",
)
"""The fixed phrases of French."""
