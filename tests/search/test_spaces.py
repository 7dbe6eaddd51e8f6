"""Searches over several spaces: of looks, of captions, and those that `[search] meaning` leaves out."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from toy_meaning import SPACE, THINGS, NoFiles, ToyEncoders, meaning

from imgd.config import SearchSettings
from imgd.errors import ModelMissingError, QueryError
from imgd.index.spaces import SpaceIndexes
from imgd.search.engine import SearchEngine
from imgd.search.meaning import Meaning
from imgd.search.options import SearchOptions
from imgd.search.query_texts import QueryTexts
from imgd.store.spaces import settle

CLIP, CAPTIONS = "clip:toy", "captions:toy"
_CROWD = 3.0


def crowded(text: str) -> npt.NDArray[np.float32]:
    """As `meaning`, where all texts lie close together, as those of CLIP do."""
    row = meaning(text).astype(np.float64)
    row[-1] += _CROWD
    return (row / np.linalg.norm(row)).astype(np.float32)


class SeveralEncoders(ToyEncoders):
    """Of looks, of captions, and of a space like CLIP's; those `without` a model cannot serve."""

    def __init__(self, *spaces: str, without: Collection[str] = (), photos_only: Collection[str] = ()) -> None:
        super().__init__()
        self.without = set(without)
        self.asked: list[tuple[str, str]] = []
        self._spaces = spaces
        self._photos_only = frozenset(photos_only)

    def spaces(self) -> Sequence[str]:
        return tuple(space for space in self._spaces if space not in self._photos_only)

    def of_texts(self) -> Collection[str]:
        return {CAPTIONS}

    def unable(self, *, photos: bool = False) -> Collection[str]:
        return self.without if photos else self.without | self._photos_only

    async def encode(
        self, space: str, texts: Sequence[str], *, background: bool = False
    ) -> npt.NDArray[np.float32]:
        assert space in self.spaces()
        if space in self.without:
            raise ModelMissingError(f"the query encoder of {space}", hint="run `imgctl models pull toy`")
        self.asked += [(space, text) for text in texts]
        return np.stack([(crowded if space == CLIP else meaning)(text) for text in texts])


def use(bench, encoders: SeveralEncoders, *chosen: str) -> None:
    """Search with `encoders`; `chosen`: what `[search] meaning` says."""
    bench.spaces = SpaceIndexes(
        bench.library.database,
        bench.folder / "vectors",
        meaning=chosen,
        suffice={*encoders.unable(), *encoders.unable(photos=True)}.isdisjoint,
    )
    bench.use(encoders)


def add(bench, name: str, vectors: Mapping[str, npt.NDArray[np.float32]], **said: object) -> int:
    return int(bench.library.add(name, vectors=vectors, **said))


@pytest.fixture
def described(bench):
    """Photos by their looks, some with captions that say something else."""
    bench.photos = {thing: add(bench, f"{n}.jpg", {SPACE: meaning(thing)}) for n, thing in enumerate(THINGS)}
    bench.photos["stamp"] = add(
        bench, "x.jpg", {SPACE: meaning("house"), CAPTIONS: meaning("stamp")}, texts=[("caption", "Penny Black")]
    )
    for number in range(20):
        add(bench, f"said{number}.jpg", {CAPTIONS: meaning(f"other{number}")})
    bench.refresh()
    use(bench, SeveralEncoders(SPACE, CAPTIONS))
    return bench


def test_a_photo_is_found_by_what_its_caption_means_and_the_reason_has_its_words(described):
    [hit] = described.search("stamp").hits
    assert hit.photo_id == described.photos["stamp"]
    [reason] = hit.why
    assert reason.startswith("description: 1.00 (cut-off 0.")
    assert reason.endswith("), Penny Black")


def test_a_space_of_captions_leaves_what_others_find_as_it_was(described):
    before = described.search("rocket")
    use(described, SeveralEncoders(SPACE))
    assert [(hit.photo_id, hit.score) for hit in described.search("rocket").hits] == [
        (hit.photo_id, hit.score) for hit in before.hits
    ]
    assert before.hits[0].photo_id == described.photos["rocket"]


def test_a_photo_with_several_captions_counts_once_by_its_best(described):
    put = described.library._put_vector
    photo = described.photos["stamp"]
    described.library.database.write(
        lambda c: [put(c, photo, CAPTIONS, meaning(text)) for text in ("letter", "stamp letter")]
    ).result()
    [hit] = described.search("stamp").hits
    assert (hit.photo_id, hit.why[0][:18]) == (photo, "description: 1.00 ")


def test_looking_alike_is_no_matter_of_captions(described):
    twin = add(described, "y.jpg", {SPACE: meaning("moon car"), CAPTIONS: meaning("stamp")})
    found = described.find(f"like:#{described.photos['stamp']}")
    assert found[0] == described.photos["stamp"]
    assert described.photos["house"] in found
    assert twin not in found


# ---------------------------------------------------------------------- `[search] meaning`


def fill(bench, analyzer: str, space: str) -> None:
    """Say that `space` is filled by `analyzer`."""

    def work(connection) -> None:
        connection.execute(
            "INSERT OR IGNORE INTO analyzers (name, version, digest) VALUES (?, '1', '')", (analyzer,)
        )
        connection.execute(
            "INSERT INTO space_sources (space_id, analyzer_id, generation) SELECT spaces.id, analyzers.id, 1"
            " FROM spaces, analyzers WHERE spaces.name = ? AND analyzers.name = ?",
            (space, analyzer),
        )

    bench.library.database.write(work).result()


@pytest.fixture
def two(bench):
    """Photos in a space like CLIP's and in another one, which disagree; `clip` is to answer alone."""
    bench.photos = {
        thing: add(bench, f"{n}.jpg", {CLIP: crowded(thing), SPACE: meaning(THINGS[n - 1])})
        for n, thing in enumerate(THINGS)
    }
    fill(bench, "clip", CLIP)
    fill(bench, "concepts", SPACE)
    bench.refresh()
    bench.library.database.write(lambda c: settle(c, ["clip"])).result()
    return bench


def test_the_chosen_space_answers_alone(two):
    use(two, SeveralEncoders(SPACE, CLIP), "clip")
    answer = two.search("moon")
    assert [hit.photo_id for hit in answer.hits] == [two.photos["moon"]]
    assert answer.notes == ()
    use(two, SeveralEncoders(SPACE, CLIP))
    assert set(two.find("moon")) == {two.photos["moon"], two.photos[THINGS[0]]}, "without a choice both answer"


def test_where_the_chosen_ones_model_is_missing_the_others_answer_and_a_note_says_why(two):
    use(two, SeveralEncoders(SPACE, CLIP, without=[CLIP]), "clip")
    answer = two.search("moon")
    assert [hit.photo_id for hit in answer.hits] == [two.photos[THINGS[0]]]
    [note] = answer.notes
    assert CLIP in note
    assert note.endswith("run `imgctl models pull toy`")


def test_a_space_without_words_answers_likeness_alone_and_words_say_nothing_of_it(two):
    use(two, SeveralEncoders(SPACE, CLIP, photos_only=[CLIP]), "clip")
    answer = two.search("moon")
    assert [hit.photo_id for hit in answer.hits] == [two.photos[THINGS[0]]]
    assert answer.notes == ()
    twin = add(two, "twin.jpg", {CLIP: crowded("moon")})
    answer = two.search(f"like:#{two.photos['moon']}")
    assert [hit.photo_id for hit in answer.hits] == [two.photos["moon"], twin]
    assert answer.notes == ()
    assert all("clip:toy" in each for each in reasons(two, f"like:#{two.photos['moon']}"))


def test_a_photo_that_the_chosen_analyzer_has_not_seen_is_looked_at_and_not_compared_in_vain(two):
    unseen = add(two, "new.jpg", {SPACE: meaning("moon")})
    use(two, SeveralEncoders(SPACE, CLIP), "clip")
    with pytest.raises(QueryError, match=r"no installed plugin can compare new\.jpg"):  # it would encode the file
        two.search(f"like:#{unseen}")
    use(two, SeveralEncoders(SPACE, CLIP))
    assert two.find(f"like:#{unseen}")[0] == unseen


def reasons(bench, query: str) -> list[str]:
    ranks = [line for hit in explained(bench, query) for line in hit.reasons if line.startswith("rank")]
    assert ranks
    return ranks


def explained(bench, query: str):
    return asyncio.run(bench.engine.search(query, SearchOptions(explain=True))).hits


# ---------------------------------------------------------------------- tags near in meaning


@pytest.mark.parametrize("spaces", [(SPACE, CLIP), (CLIP, SPACE)])
def test_words_are_compared_with_tags_where_texts_lie_farthest_apart(two, spaces, tmp_path: Path):
    encoders = SeveralEncoders(*spaces)

    async def chosen() -> str | None:
        return await Meaning(two.library.database, QueryTexts(encoders, tmp_path), tmp_path).space()

    assert asyncio.run(chosen()) == SPACE
    encoders.without = {SPACE}
    assert asyncio.run(chosen()) == CLIP
    encoders.without = {SPACE, CLIP}
    assert asyncio.run(chosen()) is None


def test_of_spaces_that_tell_words_apart_one_of_looks_comes_before_one_of_captions(bench, tmp_path: Path):
    async def chosen(*spaces: str) -> str | None:
        encoders = SeveralEncoders(*spaces)
        return await Meaning(bench.library.database, QueryTexts(encoders, tmp_path), tmp_path).space()

    assert asyncio.run(chosen(CAPTIONS, CLIP, SPACE)) == SPACE
    assert asyncio.run(chosen(CLIP, CAPTIONS)) == CAPTIONS


def test_tags_are_compared_in_a_space_that_is_not_searched_for_looks(two):
    tagged = add(two, "tagged.jpg", {}, tags={"boat harbour": 0.9})
    encoders = SeveralEncoders(SPACE, CLIP)
    use(two, encoders, "clip")
    asyncio.run(two.engine.warm())
    answer = two.search("boat moored")
    assert tagged in [hit.photo_id for hit in answer.hits]
    assert (SPACE, "boat harbour") in encoders.asked
    assert (CLIP, "boat harbour") not in encoders.asked, "the tags are encoded once"
    assert (SPACE, "boat moored") not in encoders.asked, "its looks are not asked"


def test_an_engine_is_ready_with_spaces_of_which_the_library_has_nothing(bench):
    bench.add("a.jpg", "cat")
    bench.refresh()
    bench.engine = SearchEngine(
        bench.library.database,
        bench.text,
        bench.spaces,
        SeveralEncoders(SPACE, CAPTIONS, CLIP, without=[CLIP]),
        files=NoFiles(),
        settings=SearchSettings(),
        cache=bench.folder / "vectors",
    )
    asyncio.run(bench.engine.warm())
    answer = bench.search("cat")
    assert len(answer.hits) == 1
    assert answer.notes == ()
