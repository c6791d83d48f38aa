"""The enumerations of the Common Alerting Protocol (CAP).

Values are spelled as in version 1.2 (OASIS, 2010), section 3.2.2 ("info"), so that a message and its CAP export agree.
"""

from __future__ import annotations

from enum import StrEnum


class _Ranked(StrEnum):
    """An enumeration whose members are in order, the highest first."""

    @property
    def rank(self) -> int:
        """The place in the order, from 1 for the lowest."""
        members = list(type(self))
        return len(members) - members.index(self)

    def at_least(self, other: _Ranked) -> bool:
        """Return True if this ranks as high as *other* or higher."""
        return self.rank >= other.rank


class Severity(_Ranked):
    """How bad it is: threat to life or property (CAP `severity`)."""

    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"


class Urgency(_Ranked):
    """How soon one must act (CAP `urgency`)."""

    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"
    PAST = "Past"
    UNKNOWN = "Unknown"


class Certainty(_Ranked):
    """How sure it is (CAP `certainty`)."""

    OBSERVED = "Observed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"
    UNLIKELY = "Unlikely"
    UNKNOWN = "Unknown"


class ResponseType(StrEnum):
    """What readers should do (CAP `responseType`)."""

    SHELTER = "Shelter"
    EVACUATE = "Evacuate"
    PREPARE = "Prepare"
    EXECUTE = "Execute"
    AVOID = "Avoid"
    MONITOR = "Monitor"
    ASSESS = "Assess"
    ALL_CLEAR = "AllClear"
    NONE = "None"


class CapCategory(StrEnum):
    """The kind of event (CAP `category`)."""

    GEO = "Geo"
    MET = "Met"
    SAFETY = "Safety"
    SECURITY = "Security"
    RESCUE = "Rescue"
    FIRE = "Fire"
    HEALTH = "Health"
    ENV = "Env"
    TRANSPORT = "Transport"
    INFRA = "Infra"
    CBRNE = "CBRNE"
    OTHER = "Other"


class Precision(_Ranked):
    """How exactly wording and data of a place are published, the finest first."""

    EXACT = "exact"
    STREET = "street"
    DISTRICT = "district"
    COMMUNE = "commune"
    EPCI = "epci"
    DEPARTMENT = "department"
