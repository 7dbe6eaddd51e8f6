"""The models that plugins named, looked up by name or by group."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from imgd.errors import ModelError
from imgd.model import Model

DEFAULT_GROUP = "default"
"""Stands for every model that an analyzer of the default set requires."""


class Catalogue:
    """All models that can be in a model store."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = dict(sorted(models.items()))

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def __contains__(self, name: object) -> bool:
        return name in self._models

    def model(self, name: str) -> Model:
        """The model of that name.

        Raises:
            ModelError: no model has this name; the hint names the nearest ones.
        """
        try:
            return self._models[name]
        except KeyError:
            raise ModelError(f"no model is named {name!r}", hint=self._did_you_mean(name)) from None

    def joined(self, others: Iterable[Model]) -> Catalogue:
        """This one with `others`, of which those are left out whose names it has."""
        return Catalogue({**{model.name: model for model in others}, **self._models})

    def defaults(self) -> list[Model]:
        """What `imgctl models pull default` fetches."""
        return [model for model in self if model.default]

    def named(self, names: Iterable[str]) -> list[Model]:
        """The models of these names, each once; the name `default` stands for its whole group.

        Raises:
            ModelError: a name is unknown.
        """
        chosen: dict[str, Model] = {}
        for name in names:
            models = self.defaults() if name == DEFAULT_GROUP else [self.model(name)]
            chosen.update((model.name, model) for model in models)
        return list(chosen.values())

    def _did_you_mean(self, name: str) -> str:
        known = [DEFAULT_GROUP, *self._models]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        if near:
            return f"Did you mean {' or '.join(f'`{each}`' for each in near)}?"
        return f"`imgctl models list` shows what there is: {', '.join(self._models) or 'no plugin names a model'}."
