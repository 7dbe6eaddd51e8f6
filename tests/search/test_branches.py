from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgd.errors import QueryError
from imgd.search.branches import MOST_BRANCHES, Branch, are_all_met, branches, filters, is_filter
from imgd.search.grammar import parse
from imgd.search.query import And, Filter, Like, Node, Not, Or, Phrase, Word

LEAVES = [Word("dog"), Word("cat"), Phrase("new york"), Filter("iso", "100"), Filter("type", "raw")]

TREES = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda terms: And(tuple(terms))),
        st.lists(inner, min_size=1, max_size=3).map(lambda terms: Or(tuple(terms))),
    ),
    max_leaves=8,
)


def holds(node: Node, true: frozenset[Node]) -> bool:
    match node:
        case Not(term):
            return not holds(term, true)
        case And(terms):
            return all(holds(term, true) for term in terms)
        case Or(terms):
            return any(holds(term, true) for term in terms)
        case _:
            return node in true


def branch_holds(branch: Branch, true: frozenset[Node]) -> bool:
    demanded = (*branch.words, *branch.phrases)
    return (
        all(each in true for each in demanded)
        and not any(each in true for each in branch.excluded)
        and all(is_filter(each) and holds(each, true) for each in branch.conditions)
    )


@given(TREES, st.frozensets(st.sampled_from(LEAVES)))
def test_the_branches_of_a_query_mean_what_the_query_means(tree: Node, true: frozenset[Node]) -> None:
    try:
        found = branches(tree)
    except QueryError:
        return  # too many alternatives
    assert any(branch_holds(branch, true) for branch in found) == holds(tree, true)


@given(TREES, st.frozensets(st.sampled_from(LEAVES)))
def test_where_no_filter_is_an_alternative_all_are_met(tree: Node, true: frozenset[Node]) -> None:
    if are_all_met(tree) and holds(tree, true):
        assert all(holds(each, true) for each in filters(tree))


def test_a_query_without_or_is_one_branch() -> None:
    [branch] = branches(parse('dog -cat "new york" iso:100 -"old town" like:a.jpg'))
    assert [each.text for each in branch.words] == ["dog"]
    assert [each.text for each in branch.phrases] == ["new york"]
    assert [each.text for each in branch.excluded] == ["cat", "old town"]
    assert [each.target for each in branch.likes] == ["a.jpg"]
    assert len(branch.conditions) == 1


def test_alternatives_of_filters_stay_one_condition() -> None:
    [branch] = branches(parse("dog (camera:sony OR camera:canon)"))
    assert isinstance(branch.conditions[0], Or)


def test_alternatives_of_words_are_branches_and_share_what_stands_beside_them() -> None:
    first, second = branches(parse("(dog OR wolf) iso:100"))
    assert (first.words[0].text, second.words[0].text) == ("dog", "wolf")
    assert first.conditions == second.conditions


def test_too_many_alternatives_are_refused() -> None:
    query = And(tuple(Or((Word(f"a{n}"), Word(f"b{n}"))) for n in range(6)))
    with pytest.raises(QueryError, match=f"64 alternatives; {MOST_BRANCHES} are allowed"):
        branches(query)


def test_a_likeness_cannot_be_excluded() -> None:
    with pytest.raises(QueryError, match="likeness"):
        branches(And((Word("dog"), Not(Like("a.jpg", column=5)))))
