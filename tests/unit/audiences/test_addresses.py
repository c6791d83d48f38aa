import re

from policenotify.audiences.addresses import AddressList, ChannelAudience
from policenotify.audiences.function import FunctionAudience
from policenotify.audiences.model import Audience, Subscriber, WrongRow


def test_a_list_of_addresses() -> None:
    addresses = ["a@example.org", " ", "+33639980001"]
    listed = AddressList(name="press", read=lambda: addresses)
    assert isinstance(listed, Audience)
    rows = list(listed.rows())
    assert rows == [Subscriber(position=0, address="a@example.org"), Subscriber(position=1, address="+33639980001")]
    assert list(listed.rows(start=1)) == rows[1:]
    before = listed.revision()
    assert before == listed.revision()
    addresses[0] = "b@example.org"
    assert listed.revision() != before
    addresses.append("c@example.org")
    assert listed.revision().startswith("3-")


def test_the_revision_does_not_identify_a_telephone_number() -> None:
    listed = AddressList(name="duty", read=lambda: ["+33639980001"])
    assert re.fullmatch("1-[0-9a-f]{4}", listed.revision())  # as thousands of other numbers have


def test_an_audience_as_a_channel_uses_it() -> None:
    people = [
        {"address": "A@example.org", "language": "fr-CA"},
        {"address": "b@example.org", "language": "de"},
        {"address": "c@example.org", "language": "pt"},
        {"address": "d@example.org"},
        "",
    ]
    inner = FunctionAudience(name="app", function=lambda: people)
    audience = ChannelAudience(audience=inner, spell=str.lower, languages=("fr", "pt-BR"))
    assert isinstance(audience, Audience)
    assert (audience.name, audience.revision()) == ("app", "always")
    rows = list(audience.rows())
    seen = [(row.address, row.language) for row in rows if isinstance(row, Subscriber)]
    assert seen == [("a@example.org", "fr"), ("b@example.org", ""), ("c@example.org", "pt-BR"), ("d@example.org", "")]
    assert isinstance(rows[4], WrongRow)
    assert list(audience.rows(start=2)) == rows[2:]
    assert list(ChannelAudience(audience=inner).rows()) == list(inner.rows())
