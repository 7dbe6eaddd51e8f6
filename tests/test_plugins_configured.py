"""What an analyzer or a query encoder declares may depend on its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from toy_plugins import Brings, BringsOther, Toy, Words

from imgd import Needs, QueryEncoder
from imgd.plugins import build_plugin_manager


@dataclass(frozen=True)
class Chosen:
    """Settings that name a model."""

    model: str = "small"


class Sized(Toy):
    """Its settings say which model it requires, and how large photos have to be."""

    name = "sized"

    @classmethod
    def configured(cls, settings: Any) -> Any:
        if settings.model == "raises":
            raise ValueError("no such model")
        if settings.model == "invalid":
            return cls.declared(batch_size=0)
        if settings.model == "unknown":
            return cls.declared(resolution=3)
        return cls.declared(
            requires=(settings.model,), needs=Needs(edge={"small": 224, "large": 336}[settings.model])
        )


class SizedWords(QueryEncoder[Chosen]):
    """The encoder of the space that `sized` fills."""

    name = "sized"
    analyzer = "sized"

    @classmethod
    def configured(cls, settings: Any) -> Any:
        return cls.declared(space=f"sized:{settings.model}", dimensions=len(settings.model))

    @classmethod
    def for_space(cls, space: str, settings: Any) -> Any:
        family, _, model = space.partition(":")
        if model == "raises":
            raise ValueError("no such model")
        return cls.declared(space=space, dimensions=len(model)) if family == "sized" else None

    def encode_texts(self, texts: Sequence[str]) -> Any:
        raise NotImplementedError


def test_settings_say_what_an_analyzer_declares() -> None:
    registry = build_plugin_manager((Brings("toys", Toy, Sized),), selection=set())
    made = registry.configured(registry.analyzers(None), lambda _name: Chosen("large"))
    assert made["toy"] is Toy
    assert (made["sized"].requires, made["sized"].needs.edge) == (("large",), 336)
    assert (made["sized"].__module__, made["sized"].__qualname__) == (Sized.__module__, "Sized")
    assert (Sized.requires, Sized.needs.edge) == ((), 0)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("raises", "ValueError: no such model"),
        ("invalid", "`batch_size` must be 1 or more"),
        ("unknown", "declares nothing called resolution"),
    ],
)
def test_an_analyzer_that_its_settings_make_invalid_is_named_and_left_out(model: str, problem: str) -> None:
    registry = build_plugin_manager((Brings("toys", Toy, Sized),), selection=set())
    assert list(registry.configured(registry.analyzers(None), lambda _name: Chosen(model))) == ["toy"]
    assert problem in registry.statuses["toys"].error


def test_settings_say_which_space_an_encoder_serves() -> None:
    registry = build_plugin_manager((BringsOther(encoders=[SizedWords, Words]),), selection=set())
    settings = {"sized": Chosen("large"), "": None}
    made = registry.query_encoders(None, settings.__getitem__)
    assert {space: each.dimensions for space, each in made.items()} == {"sized:large": 5, "toy:2": 2}


def test_a_space_of_earlier_settings_gets_its_own_encoder() -> None:
    registry = build_plugin_manager((BringsOther(encoders=[Words, SizedWords]),), selection=set())
    found = registry.former_encoders(None, lambda _name: Chosen(), ["sized:tiny", "other:3", "sized:raises"])
    assert {space: each.dimensions for space, each in found.items()} == {"sized:tiny": 4}
    assert "no such model" in registry.statuses["other"].error
