"""What reaches the kernels of a model, seen from outside, to find the range that codes should span."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params
from zerfoo_jax.layers.quantized.forms import Form, Names, runs_on_codes
from zerfoo_jax.layers.quantized.kernel import WatchedKernel

Note = Callable[[Names, tuple[int, ...], Array], None]
"""Takes the path to a kernel, where it stands along its leading axes (those of a `Stack`), and what reached it."""


def watched(layer: Layer, params: Params, note: Note) -> Params:
    """A layer's parameters with a watched kernel in the place of each that takes codes.

    Whoever runs the layer on them does so under `jax.disable_jit()`, for `note` to see numbers.
    """
    for path, form in runs_on_codes(layer).items():
        if form != "rows":
            axes = int(form[-1]) + 2 if form.startswith("convolution") else 2
            params = _changed(params, path, partial(_watch, form=form, axes=axes, note=partial(note, path)))
    return params


def _watch(kernel: Array, form: Form, axes: int, note: Callable[[tuple[int, ...], Array], None]) -> Any:
    if form == "transposed":
        kernel = kernel.swapaxes(-1, -2)
    lead = kernel.shape[: kernel.ndim - axes]
    index = np.moveaxis(np.indices(lead), 0, -1) if lead else np.zeros(0, np.int64)
    return WatchedKernel(kernel, index.astype(np.int32), note)


def _changed(tree: Params, path: Names, change: Callable[[Any], Any]) -> Params:
    """A copy of the tree with another leaf at a path; the tree itself where there is none."""
    name, *rest = path
    if name not in tree:
        return tree
    return {**tree, name: _changed(tree[name], tuple(rest), change) if rest else change(tree[name])}
