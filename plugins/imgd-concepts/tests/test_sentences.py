import pytest
from imgd_concepts.sentences import MOST_SENTENCES, WORDS_A_SENTENCE, bare, sentences


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A tabby sleeping on the radiator.", ["A tabby sleeping on the radiator"]),
        ("We left early. The sea was calm!  Was it?", ["We left early", "The sea was calm", "Was it"]),
        ("“It is here.” She pointed at it.", ["“It is here", "She pointed at it"]),
        ("Dr. Who met John F. Kennedy. They left at 5 p.m. and slept.",
         ["Dr. Who met John F. Kennedy", "They left at 5 p.m. and slept"]),
        ("Taken at f/2.8 with 12.5 mm", ["Taken at f/2.8 with 12.5 mm"]),
        ("A title\n\nand what\nis told", ["A title", "and what is told"]),
        ("- a boat\n- two oars", ["- a boat", "two oars"]),
        ("一只猫。一只狗！", ["一只猫。", "一只狗！"]),
        ("DSC00019", []),
        ("000015 - 2", []),
        ("  ...  ", []),
        ("", []),
    ],
)  # fmt: skip
def test_captions_are_split_into_what_they_say(caption: str, expected: list[str]) -> None:
    assert sentences([caption]) == expected


def test_what_several_captions_say_counts_once_in_their_order() -> None:
    assert sentences(["Two dogs. A beach.", "a beach", "two dogs on a beach"]) == [
        "Two dogs",
        "A beach",
        "two dogs on a beach",
    ]


def test_a_long_sentence_is_cut_and_a_long_text_is_bounded() -> None:
    words = [f"word{'x' * (number % 7)}" for number in range(2 * WORDS_A_SENTENCE + 1)]
    pieces = sentences([" ".join(words)])
    assert [len(piece.split()) for piece in pieces] == [WORDS_A_SENTENCE, WORDS_A_SENTENCE, 1]
    assert " ".join(pieces).split() == words
    assert len(sentences(f"sentence of the {'x' * number}th kind" for number in range(99))) == MOST_SENTENCES


@pytest.mark.parametrize(("text", "expected"), [(" a  dog\nruns. ", "a dog runs"), ("?!", "?!"), ("", "")])
def test_a_query_is_bared_as_captions_are(text: str, expected: str) -> None:
    assert bare(text) == expected
