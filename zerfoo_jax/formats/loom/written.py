"""LOOM layers on their way into a bundle: what a writer collects while it goes through a network."""

import base64
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import Problem
from zerfoo_jax.formats.loom.definitions import KEYS
from zerfoo_jax.formats.loom.numbers import NUMBERS
from zerfoo_jax.formats.loom.weights import KEYS as WEIGHT_KEYS


@dataclass
class Written:
    """One LOOM layer: the fields of its definition, its arrays, and the layers inside it."""

    fields: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    inner: "list[Written]" = field(default_factory=list)
    gate: "Written | None" = None
    place: str | None = None
    """Where the layer stands in the network, while it waits for an activation; None where it takes none."""

    def definition(self, inside: bool = False) -> dict[str, Any]:
        """The definition as it stands in the file: known fields in LOOM's order, without what is 0 or empty."""
        # What is inside another layer has no width and height, which LOOM only writes as 1 anyway.
        given = self.fields | {"branches": [one.definition(inside=True) for one in self.inner]}
        given |= {"filter_gate": self.gate.definition(inside=True)} if self.gate else {}
        given = {"activation": "relu"} | given | ({"width": 0, "height": 0} if inside else {})
        return {key: given[key] for key in KEYS if key in given and (key in ("type", "activation") or given[key])}

    def all_arrays(self) -> list[np.ndarray]:
        """Every array, inner ones too."""
        parts = [*self.inner, *([self.gate] if self.gate else [])]
        return [*self.arrays.values(), *(array for one in parts for array in one.all_arrays())]

    def weights(self, dtype: str | None, scale: float, loom: bool) -> dict[str, Any]:
        """The arrays as they stand in the file."""
        given: dict[str, Any] = {name: _stored(array, dtype, scale, loom) for name, array in self.arrays.items() if array.size}
        given |= {"dtype": dtype} if dtype else {}
        given |= {"branch_weights": [one.weights(dtype, scale, loom) for one in self.inner]} if self.inner else {}
        given |= {"filter_gate": self.gate.weights(dtype, scale, loom)} if self.gate else {}
        return {key: given[key] for key in WEIGHT_KEYS if key in given}


def _stored(array: np.ndarray, dtype: str | None, scale: float, loom: bool) -> Any:
    array = np.ascontiguousarray(array)
    return base64.b64encode(NUMBERS[dtype].write(array.ravel(), scale, loom)).decode() if dtype else array.ravel()


@dataclass
class Writer:
    """Goes through a network and collects its LOOM layers, and the problems of those that have no form."""

    loom: bool
    layers: list[Written] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: str, fields: dict[str, Any], arrays: dict[str, np.ndarray] | None = None, **more: Any) -> None:
        """The next layer."""
        self.layers.append(Written({"type": kind} | fields, arrays or {}, **more))

    def refuse(self, cause: str, place: str, fix: str = "") -> None:
        """Notes that a layer has no form in LOOM."""
        self.problems.append(Problem(cause, place, fix))

    def inside(self) -> "Writer":
        """A writer for what is inside a layer, whose problems are this one's."""
        return Writer(self.loom, [], self.problems)

    def finish(self) -> list[Written]:
        """The layers, those without an activation as linear ones."""
        for one in self.layers:
            if one.place is not None:
                one.fields["activation"] = "linear"
                if self.loom:
                    self.refuse("LOOM reads a layer without an activation as one with its ReLU", one.place)
                one.place = None
        return self.layers
