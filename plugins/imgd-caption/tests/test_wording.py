import pytest
from imgd_caption.wording import clean_caption


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        ("two dogs running on a beach", "two dogs running on a beach"),
        ("arafed man sitting on a bench with a dog", "man sitting on a bench with a dog"),
        ("araffes in a field", "in a field"),
        ("there is a araffe dog on the couch", "there is a dog on the couch"),
        ("a giraffe and a carafe of water", "a giraffe and a carafe of water"),
        ("a bald bald bald bald man", "a bald man"),
        ("a cat on a bed on a bed on a bed", "a cat on a bed"),
        ("a train on the tracks, on the tracks, on the tracks", "a train on the tracks"),
        ("a very very small dog", "a very small dog"),
        ("a red and a blue and a red car", "a red and a blue and a red car"),
        ("a man sitting on a", "a man sitting"),
        ("a close up of a flower with a", "a close up of a flower"),
        ("a sign that says no. 5", "a sign that says no. 5"),
        ("  a   boat .", "a boat"),
        ("a the of", ""),
        ("", ""),
        ("...", ""),
    ],
)
def test_a_caption_is_what_people_would_write(said: str, caption: str) -> None:
    assert clean_caption(said) == caption


def test_the_longest_caption_of_one_word_is_cleaned_at_once() -> None:
    assert clean_caption("flower " * 200) == "flower"
    assert clean_caption("one two three four five six seven eight " * 30).startswith("one two three four five six")
