import pytest

from imgd.errors import ModelError
from imgd.model import Model
from imgd.weights.catalogue import Catalogue


def catalogue() -> Catalogue:
    models = [Model("faces", "Faces", "MIT", ()), Model("concepts", "Concepts", "MIT", (), default=True)]
    return Catalogue({model.name: model for model in models})


def test_a_misspelt_name_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ModelError, match="no model is named 'concept'") as raised:
        catalogue().model("concept")
    assert "`concepts`" in raised.value.advice


def test_a_name_like_no_other_is_answered_with_all_there_are() -> None:
    with pytest.raises(ModelError) as raised:
        catalogue().model("zzz")
    assert "concepts, faces" in raised.value.advice


def test_default_stands_for_the_default_models_and_each_model_comes_once() -> None:
    assert [model.name for model in catalogue().named(["default", "faces", "concepts"])] == ["concepts", "faces"]
