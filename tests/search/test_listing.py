"""The two ways of listing what filters let pass give the same pages."""

from __future__ import annotations

import pytest

from imgd.index.words import Words
from imgd.search.branches import branches
from imgd.search.filters import Filters
from imgd.search.grammar import parse
from imgd.search.listing import Listing
from imgd.search.query import And
from imgd.search.restriction import Restriction
from imgd.search.terms import Terms
from imgd.search.vocabulary import Vocabulary


@pytest.fixture
def shelf(bench):
    """90 photos in five folders; two of three have a date, some the same one; two are gone."""
    photos = [
        bench.add(
            f"{n * 37 % 90:02}.jpg",
            folder=("", "b", "a/c", "a", "a b")[n % 5],
            texts=[("caption", "by night")] if n % 4 == 0 else [],
            metadata={"iso": 100 * (n % 9), **({"taken_at": f"2023-05-{n % 9 + 1:02}T10:00:00"} if n % 3 else {})},
        )
        for n in range(90)
    ]
    bench.library.lose(photos[7])
    bench.library.remove(photos[8])
    bench.refresh()
    return bench


def restriction(bench, query: str) -> Restriction:
    [branch] = branches(parse(query))
    database = bench.library.database
    words = Words(bench.text)
    condition = Filters(database, words, Vocabulary(database)).compile(And(branch.conditions))
    found = Restriction(condition, Terms.of(branch), words, has_filters=bool(branch.conditions))
    found.ids = None  # as it is where they are too many for a list
    return found


def pages(listing: Listing, query: Restriction, sort: str, limit: int) -> list[tuple[int, object]]:
    found, after = [], None
    while True:
        page = listing.page(query, sort, after, limit)
        found += [(each.photo_id, each.key) for each in page.photos]
        after = page.last() if page.more else None
        if after is None:
            return found


@pytest.mark.parametrize("limit", [3, 50])
@pytest.mark.parametrize("sort", ["date", "path"])
@pytest.mark.parametrize(
    "query", ["iso:>=300", "-night", "iso:100 -night", "has:date -iso:>500", "date:2023-05-02"]
)
def test_walking_and_gathering_list_the_same_photos(shelf, query, sort, limit):
    database = shelf.library.database
    expected = pages(Listing(database, walked=10**9), restriction(shelf, query), sort, limit)
    assert pages(Listing(database, walked=0), restriction(shelf, query), sort, limit) == expected
    assert sorted(each for each, _ in expected) == restriction(shelf, query).all_ids().tolist()
    assert len(expected) >= 5
