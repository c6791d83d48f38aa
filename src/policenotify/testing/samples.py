"""Twenty-six messages of a French police desk, for tests, examples and the demo.

Everything is invented but the places. Each sample has the history of its incident on two channels, `bluesky` and
`mail`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from policenotify.channel import PostRef
from policenotify.model import places
from policenotify.model.history import History, HistoryEntry, Outcome, PostedPart
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Location
from policenotify.model.message import Category, Message
from policenotify.publishing.defaults import fill_defaults
from policenotify.render.locales import PROFILES, profile_of

PARIS: Final = ZoneInfo("Europe/Paris")
SENDER: Final = "Police nationale de l'Hérault"
ACCOUNTS: Final = {"bluesky": "police34.example", "mail": "alerte@police34.example"}
"""The two channels of the samples, and their accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A message with the history of its incident.

    Attributes:
        id: Its name: `accident/opening`.
        at: Time of publication.
        message: As the desk writes it.
        history: Earlier messages of the incident.
    """

    id: str
    at: datetime
    message: Message
    history: History = field(default_factory=History)

    @property
    def resolved(self) -> Message:
        """The message with the defaults of its category and the names of its place."""
        place = self.message.location or Location()
        commune = places.commune(place.commune) if place.commune else None
        department = place.department or (places.department_of(place.commune) if place.commune else None)
        named = places.department(department) if department else None
        return fill_defaults(
            self.message,
            profile_of(self.message.category, PROFILES),
            sender=SENDER,
            commune_name=commune.name if commune else None,
            department_name=named.name if named else None,
            department=department,
            incident=self.message.incident,
        )

    def entry(self, sequence: int) -> HistoryEntry:
        """Return the message as the journal holds it after it was posted everywhere."""
        publication = f"01J{self.at:%Y%m%d%H%M%S}{sequence:09d}"
        posts = tuple(
            PostedPart(
                channel=channel,
                account=account,
                language=self.message.language,
                outcome=Outcome.POSTED,
                ref=PostRef(account=account, id=f"{channel}-{publication}"),
            )
            for channel, account in ACCOUNTS.items()
        )
        return HistoryEntry(publication=publication, sequence=sequence, message=self.resolved, at=self.at, posts=posts)


def _at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a time of June 2026 in Paris."""
    return datetime(2026, 6, day, hour, minute, tzinfo=PARIS)


def _place(
    commune: str, label: str | None = None, *, street: str | None = None, district: str | None = None
) -> Location:
    return Location(commune=commune, label=label, street=street, district=district)


def _first(name: str, at: datetime, category: Category, headline: str, **fields: Any) -> Sample:  # noqa: ANN401 - any field
    """Return an opening, whose incident gets its name, or a standalone message."""
    opens = PROFILES[category].opens_incident
    lifecycle = Lifecycle(stage=Stage.OPENING, incident=name.partition("/")[0]) if opens else Lifecycle()
    values = {"category": category, "headline": headline, "lifecycle": lifecycle, **fields}
    return Sample(id=name, at=at, message=Message.model_validate(values))


def _then(name: str, at: datetime, before: Sample, stage: Stage, headline: str, **fields: Any) -> Sample:  # noqa: ANN401 - any field
    """Return a message that follows an earlier sample."""
    earlier = before.history.entries
    entries = (*earlier, before.entry(len(earlier) + 1))
    incident = before.message.incident
    corrects = entries[-1].publication if stage is Stage.CORRECTION else None
    message = before.message.followed_by(stage, headline=headline, incident=incident, corrects=corrects, **fields)
    return Sample(id=name, at=at, message=message, history=History(incident=incident, entries=entries))


_TOULOUSE: Final = _place("34172", street="avenue de Toulouse")

_ACCIDENT: Final = _first(
    "accident/opening",
    _at(5, 17, 42),
    Category.TRAFFIC_ACCIDENT,
    "Accident de la circulation",
    location=_place("34172", "avenue de Toulouse, sens centre → A709"),
    description="Circulation très difficile.",
    instruction="Évitez le secteur, déviation par l'avenue de Lodève.",
    next_update_at=_at(5, 18, 30),
    hashtags=("Hérault",),
)
_ACCIDENT_UPDATE: Final = _then(
    "accident/update",
    _at(5, 18, 12),
    _ACCIDENT,
    Stage.UPDATE,
    "Une voie rouverte à 18h10, circulation alternée",
    location=_TOULOUSE,
    description="Fin d'intervention prévue vers 19h.",
    instruction="Restez prudents et respectez les consignes des policiers.",
    starts_at=_at(5, 18, 10),
    hashtags=(),
)
_CLOSURE: Final = _first(
    "closure/opening",
    _at(4, 10),
    Category.ROAD_CLOSURE,
    "Pont Sadi-Carnot fermé à la circulation pour travaux",
    location=_place("34301", "pont Sadi-Carnot"),
    description="Déviation par le quai de Bosc.",
    instruction="Anticipez vos déplacements.",
    starts_at=_at(5, 20),
    expires_at=_at(5, 23),
)
_BOMB: Final = _first(
    "bomb/opening",
    _at(9, 15, 20),
    Category.BOMB_DISPOSAL,
    "Intervention de police en cours place Jean-Jaurès pour un bagage abandonné",
    location=_place("34032", street="place Jean-Jaurès"),
    description="Périmètre de sécurité en place, démineurs en route.",
    instruction="Évitez le secteur, ne restez pas à proximité, respectez les consignes des policiers.",
    next_update_at=_at(9, 16),
)
_BOMB_UPDATE: Final = _then(
    "bomb/update",
    _at(9, 15, 54),
    _BOMB,
    Stage.UPDATE,
    "Démineurs sur place à 15h50",
    description="Périmètre maintenu.",
    instruction="Une détonation contrôlée peut être entendue : ne vous inquiétez pas, restez à distance.",
    starts_at=_at(9, 15, 50),
)
_OPERATION: Final = _first(
    "police-op/opening",
    _at(10, 9, 50),
    Category.POLICE_OPERATION,
    "Opération de police",
    location=_place("34172", district="quartier Gambetta"),
    instruction="Évitez le secteur et laissez libre accès aux secours. "
    "Ne diffusez ni photo ni vidéo des policiers en intervention.",
    next_update_at=_at(10, 11),
)
_FIRE: Final = _first(
    "fire/opening",
    _at(11, 17, 25),
    Category.FIRE,
    "Feu de végétation",
    location=_place("34108", "route de Balaruc, fumées sur la RD600"),
    description="Circulation coupée dans les deux sens.",
    instruction="Évitez le secteur, fermez vos fenêtres, ne gênez pas les pompiers. Urgence : 18 ou 112.",
    starts_at=_at(11, 17, 10),
)
_DEMONSTRATION: Final = _first(
    "demo/opening",
    _at(12, 9),
    Category.DEMONSTRATION,
    "Cortège déclaré",
    location=_place("34172", "départ place de la Comédie"),
    description="Circulation et tram perturbés (lignes 1 et 2).",
    instruction="Privilégiez les parkings relais.",
    starts_at=_at(13, 14),
    expires_at=_at(13, 18),
)
_MISSING: Final = _first(
    "missing/opening",
    _at(9, 14, 30),
    Category.MISSING_PERSON,
    "Disparition inquiétante à Agde : homme de 78 ans, vu pour la dernière fois ce mardi à 9h quartier du Grau",
    location=_place("34003", district="quartier du Grau"),
    description="1,72 m, corpulence mince, veste bleue.",
    instruction="Un renseignement ? Appelez le 17. Ne partagez que cette publication officielle.",
    starts_at=_at(9, 9),
)
_WEATHER: Final = _first(
    "weather/opening",
    _at(16, 11),
    Category.WEATHER_RELAY,
    "Orages et pluie-inondation",
    location=Location(department="34"),
    instruction="Limitez vos déplacements, ne vous engagez jamais sur une route submergée (même à pied). "
    "Suivez vigilance.meteofrance.fr. Urgence : 112.",
    starts_at=_at(16, 15),
    expires_at=_at(16, 23),
)

SAMPLES: Final = (
    _ACCIDENT,
    _ACCIDENT_UPDATE,
    _then(
        "accident/end",
        _at(5, 19, 2),
        _ACCIDENT_UPDATE,
        Stage.END,
        "Fin d'intervention",
        starts_at=_at(5, 18, 55),
        instruction="Circulation rétablie dans les deux sens. Merci de votre patience.",
    ),
    _CLOSURE,
    _then(
        "closure/end",
        _at(5, 22, 45),
        _CLOSURE,
        Stage.END,
        "Le pont Sadi-Carnot est rouvert à la circulation depuis 22h40",
        instruction="Fin de la déviation.",
        starts_at=_at(5, 22, 40),
    ),
    _BOMB,
    _BOMB_UPDATE,
    _then(
        "bomb/end",
        _at(9, 16, 24),
        _BOMB_UPDATE,
        Stage.END,
        "Levée de doute effectuée, aucun danger",
        instruction="Périmètre levé et circulation rétablie à 16h20. Merci de votre patience.",
    ),
    _OPERATION,
    _then(
        "police-op/end",
        _at(10, 11, 42),
        _OPERATION,
        Stage.END,
        "Fin de l'opération de police",
        starts_at=_at(10, 11, 40),
        instruction="Le secteur est sécurisé, vous pouvez circuler normalement.",
    ),
    _first(
        "arrest/info",
        _at(8, 11),
        Category.ARREST,
        "Trois personnes interpellées cette nuit à Montpellier, soupçonnées de vols dans des véhicules en "
        "stationnement",
        location=_place("34172"),
        description="Elles sont placées en garde à vue et présumées innocentes. "
        "Enquête en cours sous l'autorité du parquet.",
    ),
    _FIRE,
    _then(
        "fire/end",
        _at(11, 19, 20),
        _FIRE,
        Stage.END,
        "Feu maîtrisé par les @PompiersHerault",
        location=_place("34108", street="route de Balaruc"),
        description="RD600 rouverte à 19h15.",
        instruction="Restez prudents : engins encore sur place.",
    ),
    _DEMONSTRATION,
    _then(
        "demo/end",
        _at(13, 17, 58),
        _DEMONSTRATION,
        Stage.END,
        "Dispersion terminée",
        location=_place("34172"),
        starts_at=_at(13, 17, 50),
        instruction="Circulation et tramway rétablis progressivement.",
    ),
    _MISSING,
    _then(
        "missing/end",
        _at(10, 8, 15),
        _MISSING,
        Stage.END,
        "La personne recherchée à Agde a été retrouvée saine et sauve",
        location=_place("34003"),
        description="Merci de votre mobilisation.",
        instruction="Merci de ne plus relayer la photo ni l'avis de disparition.",
    ),
    _first(
        "witness/opening",
        _at(10, 10),
        Category.WITNESS_APPEAL,
        "Accident corporel lundi 8 juin vers 7h45 rond-point Paul-Fajon à Montpellier entre un bus et un cycliste",
        location=_place("34172", street="rond-point Paul-Fajon"),
        instruction="Vous avez vu la scène ? Contactez le commissariat (17 hors urgence : accueil de l'hôtel de "
        "police).",
        starts_at=_at(8, 7, 45),
    ),
    _first(
        "scam/info",
        _at(3, 9),
        Category.SCAM_CYBER,
        "Faux conseiller bancaire : votre banque ne vous demandera JAMAIS vos codes ni de remettre votre carte à un "
        "coursier",
        instruction="Raccrochez et rappelez votre agence. Victime ? 17Cyber.gouv.fr, Info Escroqueries "
        "0 805 805 817 (gratuit).",
    ),
    _first(
        "cyber/info",
        _at(3, 12),
        Category.SCAM_CYBER,
        "SMS « colis en attente » : ne cliquez pas, transférez-le au 33700",
        instruction="Lien ouvert ou données saisies ? Faites opposition et demandez conseil sur 17Cyber.gouv.fr.",
        hashtags=("Prévention", "Cyber"),
    ),
    _first(
        "burglary/info",
        _at(15, 9),
        Category.BURGLARY_PREVENTION,
        "Vous partez en vacances ?",
        instruction="Inscrivez-vous gratuitement à l'#OpérationTranquillitéVacances au moins 3 jours avant le départ, "
        "en ligne sur service-public.fr ou au commissariat. Ne dites pas votre absence sur les réseaux.",
        hashtags=("OTV",),
    ),
    _first(
        "roadsafety/info",
        _at(12, 12),
        Category.ROAD_SAFETY,
        "Ce week-end, contrôles renforcés alcool, stupéfiants et téléphone sur les routes de l'Hérault",
        location=Location(department="34"),
        instruction="Celui qui conduit, c'est celui qui ne boit pas.",
        hashtags=("SécuritéRoutière", "TousResponsables"),
    ),
    _first(
        "recruit/info",
        _at(8, 9),
        Category.RECRUITMENT,
        "La #PoliceNationale recrute : gardien de la paix, policier adjoint, cadet, technicien scientifique",
        location=_place("34172"),
        instruction="Rencontrez-nous jeudi 11 juin de 10h à 16h à l'hôtel de police de Montpellier. "
        "Infos : devenirpolicier.fr",
    ),
    _WEATHER,
    _then(
        "weather/end",
        _at(16, 23, 5),
        _WEATHER,
        Stage.END,
        "Fin de la vigilance orange",
        starts_at=_at(16, 23),
        description="Des routes restent fermées.",
        instruction="Consultez inforoute avant de partir et respectez les barrières.",
    ),
    _then(
        "accident/correction",
        _at(5, 17, 50),
        _ACCIDENT,
        Stage.CORRECTION,
        "Notre message de 17h42 indiquait par erreur l'avenue de Lodève",
        location=_TOULOUSE,
        description="L'accident a lieu avenue de Toulouse. Le premier message est supprimé.",
    ),
)
"""The samples, each after those it follows."""
