from policenotify.audiences.function import FunctionAudience
from policenotify.publishing.diagnosis import check_people


def test_what_is_in_a_list() -> None:
    people = ("a@example.org", {"address": "b@example.org", "consent_at": "2026-03-14"}, "A@example.org", *([""] * 12))
    line = check_people("press", FunctionAudience(name="press", function=lambda: people), may_be_empty=False)
    rows = " ".join(f"line {number}: address: is missing." for number in range(4, 14))
    counts = "2 people, 1 with a proof of consent, 1 named more than once, 12 wrong rows"
    assert (line.state, str(line.detail)) == ("note", f"{counts}: {rows} …")


def test_a_list_that_fails() -> None:
    def function() -> list[str]:
        raise OSError

    line = check_people("press", FunctionAudience(name="press", function=function), may_be_empty=True)
    assert (line.state, str(line.detail)) == ("WRONG", "audiences.press: the function failed: OSError.")
