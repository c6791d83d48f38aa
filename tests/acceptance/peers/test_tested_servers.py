"""The page tells what was shown, and nothing that was not."""

from __future__ import annotations

from tests.acceptance.peers.tested_servers import Proven, same

PAGE = Proven().page("# Proven against\n", {})


def page_of(**held: bool) -> str:
    proven = Proven()
    for name, well in held.items():
        proven.saw(f"test_{name}[again]", ["snac"], contract=False, held=well)
    return proven.page(PAGE, {"kannel": "1.4.5", "snac": "2.75"})


def test_a_promise_holds_where_all_its_tests_have_passed() -> None:
    proven = Proven()
    for held in (True, False, True):
        proven.saw("test_key_publishes_once[x]", ["snac"], contract=True, held=held)
    proven.saw("test_key_publishes_once", ["kannel"], contract=True, held=True)
    page = proven.page(PAGE, {"kannel": "1", "snac": "2"})
    assert "| kannel | 1 | 1 |\n| snac | 2 |  |" in page
    assert "- A thread is one" in page_of(a_thread_is_one=True)


def test_pages_are_the_same_but_for_the_servers_release() -> None:
    page = page_of(a_thread_is_one=True)
    assert page.startswith("# Proven against\n")
    assert same(page, page.replace("2.75", "2.76"))
    assert not same(page, page_of(a_thread_is_one=False))
    assert not same(page, page_of(a_thread_is_one=True, another=True))
