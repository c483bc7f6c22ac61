"""The weights of one layer in a first-generation bundle: lists of numbers (version 1) or codes as base64 (version 2)."""

from collections.abc import Callable
from dataclasses import dataclass
import math
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError, nearest
from zerfoo_jax.formats.json_text import Fields, from_base64
from zerfoo_jax.formats.limits import check_count, check_shape
from zerfoo_jax.formats.loom.numbers import NUMBERS, Number

ARRAYS = [
    "biases",
    "kernel",
    "conv_bias",
    "conv3d_kernel",
    "conv3d_bias",
    "q_weights",
    "k_weights",
    "v_weights",
    "output_weight",
    "q_bias",
    "k_bias",
    "v_bias",
    "output_bias",
    "weight_ih",
    "weight_hh",
    "bias_h",
    "weight_ii",
    "weight_if",
    "weight_ig",
    "weight_io",
    "weight_hi",
    "weight_hf",
    "weight_hg",
    "weight_ho",
    "bias_i",
    "bias_f",
    "bias_g",
    "bias_o",
    "gamma",
    "beta",
    "gate_weights",
    "up_weights",
    "down_weights",
    "gate_bias",
    "up_bias",
    "down_bias",
    "embedding_weights",
]
"""The arrays that a layer may have, in the order in which LOOM writes them."""
KEYS = ("dtype", *ARRAYS, "branch_weights", "cluster_centers", "filter_gate")
MAX_ZEROS = 2**20
"""Numbers made for an array that a file does not hold."""


@dataclass(frozen=True)
class LayerWeights:
    """One layer's arrays by name. `read` gives the numbers of a field that should hold so many, `count` how many it has."""

    fields: Fields
    read: Callable[[Fields, str, int], np.ndarray]
    count: Callable[[Fields, str], int]

    @classmethod
    def plain(cls, value: Any, place: str) -> "LayerWeights":
        """Version 1: lists of numbers."""
        return cls(Fields.of(value, place, KEYS), _numbers, lambda fields, name: len(fields.items(name)))

    @classmethod
    def coded(cls, value: Any, place: str, dtype: str, scale: float) -> "LayerWeights":
        """Version 2: codes of a type, which each layer may name for itself."""
        fields = Fields.of(value, place, KEYS)
        number = fields.choice("dtype", NUMBERS, dtype)
        return cls(
            fields,
            lambda fields, name, count: _decoded(fields, name, count, number, scale),
            lambda fields, name: len(from_base64(fields.text(name), fields.at(name))) * 8 // number.bits,
        )

    @property
    def empty(self) -> bool:
        """Whether there is no array at all: LOOM 0.0.10 does not fill what is inside a sequential layer."""
        return not any(self.fields.has(name) for name in KEYS[1:])

    def has(self, name: str) -> bool:
        """Whether there is such an array."""
        return self.fields.has(name)

    def array(self, name: str, *shape: int, optional: bool = False) -> np.ndarray:
        """The array of that name. Where it is optional, or the layer has none at all, absent is 0, as it is in LOOM."""
        place = self.fields.at(name)
        check_shape(shape, place)
        count = math.prod(shape)
        if self.has(name):
            return self.read(self.fields, name, count).reshape(shape)
        if not (optional or self.empty):
            present = [name for name in KEYS[1:] if self.has(name)]
            raise FormatError(f"the weights {name!r} are missing", place=self.fields.place, fix=nearest(name, present))
        check_count(count, MAX_ZEROS, f"weights {name!r} that the file does not hold", place)
        return np.zeros(shape, np.float32)

    def inner(self, count: int) -> "list[LayerWeights]":
        """Those of the branches, of which there are so many."""
        items = self.fields.items("branch_weights")
        if items and len(items) != count:
            place = self.fields.at("branch_weights")
            raise FormatError(f"weights of {len(items)} branches, where there are {count}", place=place)
        items = items or [({}, f"{self.fields.at('branch_weights')}[{i}]") for i in range(count)]
        return [self.of(value, place) for value, place in items]

    def gate(self) -> "LayerWeights":
        """Those of the gate of a parallel layer."""
        return self.of(self.fields.values.get("filter_gate"), self.fields.at("filter_gate"))

    def of(self, value: Any, place: str) -> "LayerWeights":
        """Another layer's weights, of the same kind."""
        return LayerWeights(Fields.of(value, place, KEYS), self.read, self.count)


def _numbers(fields: Fields, name: str, count: int) -> np.ndarray:
    found = fields.array(name)
    if found.size != count:
        raise FormatError(f"{found.size:,} numbers, where the layer has {count:,}", place=fields.at(name))
    return found


def _decoded(fields: Fields, name: str, count: int, number: Number, scale: float) -> np.ndarray:
    data = from_base64(fields.text(name), fields.at(name))
    if len(data) != number.size(count):
        wanted = f"{count:,} numbers take {number.size(count):,}"
        raise FormatError(f"{len(data):,} bytes, where {wanted}", place=fields.at(name))
    return number.read(data, count, scale)
