from enum import StrEnum

import pytest

from policenotify.model.cap import CapCategory, Certainty, Precision, ResponseType, Severity, Urgency

# OASIS, Common Alerting Protocol Version 1.2, section 3.2.2, the elements of <info>.
CAP: list[tuple[type[StrEnum], str]] = [
    (Severity, "Extreme Severe Moderate Minor Unknown"),
    (Urgency, "Immediate Expected Future Past Unknown"),
    (Certainty, "Observed Likely Possible Unlikely Unknown"),
    (ResponseType, "Shelter Evacuate Prepare Execute Avoid Monitor Assess AllClear None"),
    (CapCategory, "Geo Met Safety Security Rescue Fire Health Env Transport Infra CBRNE Other"),
]


@pytest.mark.parametrize(("scale", "values"), CAP)
def test_values_are_spelled_as_cap_spells_them(scale: type[StrEnum], values: str) -> None:
    assert [member.value for member in scale] == values.split()


@pytest.mark.parametrize("scale", [Severity, Urgency, Certainty, Precision])
def test_the_most_severe_comes_first(scale: type[Severity]) -> None:
    ranks = [member.rank for member in scale]
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[-1] == 1
    assert len(set(ranks)) == len(ranks)


def test_the_finest_place_ranks_highest() -> None:
    assert max(Precision, key=lambda precision: precision.rank) is Precision.EXACT
    assert [p for p in Precision if p.at_least(Precision.DISTRICT)] == [
        Precision.EXACT,
        Precision.STREET,
        Precision.DISTRICT,
    ]
    assert [*Precision][-1] is Precision.DEPARTMENT
