from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from policenotify.channel import Operation, Post
from policenotify.model.history import RenderedPost, Target
from policenotify.model.lifecycle import Stage
from policenotify.publishing.wording import number_posts

AT = datetime(2026, 6, 5, 15, 42, tzinfo=UTC)
PUBLICATION = "01J00000000000000000000000"
POST = Post(
    key="0" * 64, account="a", stage=Stage.CORRECTION, category="fire", language="fr", text="Feu éteint.", created_at=AT
)
EDIT = RenderedPost(
    target=Target(
        channel="x", account="a", language="fr", operation=Operation.EDIT, target="01J00000000000000000000001"
    ),
    standalone=POST,
)


def operations(*wordings: RenderedPost) -> list[tuple[Operation, int]]:
    return [(wording.target.operation, wording.target.part) for wording in number_posts(wordings, PUBLICATION, AT)]


@pytest.mark.parametrize("more", [1, 2])
def test_an_edit_that_needs_several_posts_becomes_a_post(more: int) -> None:
    assert operations(EDIT) == [(Operation.EDIT, 0)]
    long = replace(EDIT, continuations=(POST,) * more)
    [made] = number_posts([long], PUBLICATION, AT)
    assert (made.target.operation, made.target.target) == (Operation.POST, "")
    posts = [made.standalone, *made.continuations]
    assert [post.created_at - AT for post in posts] == [timedelta(milliseconds=number) for number in range(more + 1)]
    assert len({post.key for post in posts}) == more + 1
    assert made.standalone.key == made.target.post_key(PUBLICATION)


def test_an_edit_that_needs_several_posts_is_skipped_where_a_post_has_the_same_text() -> None:
    beside = replace(EDIT, target=replace(EDIT.target, operation=Operation.POST, target=""))
    assert operations(replace(EDIT, continuations=(POST,)), beside) == [(Operation.POST, 0)]
