"""`/v1/duplicates` over a real socket."""

from __future__ import annotations

import pytest

from imgd.errors import RequestError


def test_pages_of_groups_follow_each_other(client):
    pages = list(client.duplicates(page_size=1))
    assert [page.groups[0].files[0].path for page in pages] == ["/photos/cat.jpg", "/photos/dog.jpg"]
    assert {(page.kind, page.found) for page in pages} == {("identical", 2)}


def test_a_list_with_nothing_in_it_is_one_empty_page(client):
    (page,) = client.duplicates("near")
    assert (page.groups, page.found, page.after) == ((), 0, "")


def test_a_list_that_there_is_not_is_refused_with_those_that_there_are(client):
    with pytest.raises(RequestError) as refusal:
        next(client.duplicates("triplets"))
    assert "identical, near, bursts, pairs" in str(refusal.value.advice)
