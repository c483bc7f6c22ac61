"""PyTorch state dicts, both ways: a mapping from names to arrays, as `safetensors.torch.save_file` keeps it in a file.

Files of `torch.save` are pickles, which run code: they are not read. `from_torch(model, read_tensors("model.safetensors"))`
reads those of safetensors, `write_tensors(to_torch(network), "model.safetensors")` writes them.
"""

from collections.abc import Iterator, Mapping
import math
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import CheckpointError, FormatError
from zerfoo_jax.core.layer import Composite, Layer, walk
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.layers import Dense, Flatten
from zerfoo_jax.models.state_dict import Names, Tensor, after_flatten, from_state_dict, to_state_dict
from zerfoo_jax.models.torch_names import torch_names


def from_torch(
    model: Layer, state_dict: Mapping[str, np.ndarray], *specs: Spec, names: Names | Mapping[str, str] | None = None
) -> Network:
    """The network of `model` with the arrays of a PyTorch module that computes the same, for inputs of these shapes.

    `names` is the map of `models.state_dict`, or gives the module of torch for the path of each of our layers, as in
    `{"dense_0": "fc1"}`; by default the path `layer1/0/conv1` is the module `layer1.0.conv1`. Raises `FormatError` that lists
    all arrays that are missing, left over or of another shape, and all of ours that torch has nothing for.

    >>> from zerfoo_jax.layers import Sequential
    >>> arrays = {"fc.weight": np.ones((3, 2), np.float32), "fc.bias": np.zeros(3, np.float32)}
    >>> model, names = Sequential((Dense(3),)), {"dense_0": "fc"}
    >>> from_torch(model, arrays, Spec((1, 2), "float32"), names=names).params["dense_0"]["kernel"].shape
    (2, 3)
    """
    try:
        return Network(model, *from_state_dict(model, _names(model, specs, names), state_dict, *specs), specs)
    except CheckpointError as error:
        raise FormatError(error.problems) from error


def to_torch(network: Network, *, names: Names | Mapping[str, str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a network as a PyTorch module of the same build has them; `names` and errors are as for `from_torch`."""
    try:
        return to_state_dict(_names(network.model, network.specs, names), network.params, network.state)
    except CheckpointError as error:
        raise FormatError(error.problems) from error


def _names(model: Layer, specs: tuple[Spec, ...], given: Mapping[str, Any] | None) -> Names:
    given = given or {}
    if any(not isinstance(one, str) for one in given.values()):
        return given
    if not isinstance(model, Composite):
        raise FormatError("the names of a single layer's tensors have to be given", place=type(model).__name__, fix="names=...")

    def module(path: str) -> str:
        return given.get(path, path.replace("/", "."))

    flattened = {
        f"{module(path)}.weight": Tensor((f"params/{path}/kernel",), after_flatten(*shape))
        for path, shape in _after_flattening(model, specs)
    }
    return torch_names(model, module) | flattened


def _after_flattening(model: Layer, specs: tuple[Spec, ...]) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """The Dense layers that take what was an image, with its (height, width, channels): torch flattens channels first."""
    image: tuple[int, ...] = ()
    for visit in walk(model, *specs).visits:
        if isinstance(visit.layer, Flatten) and len(visit.inputs[0].shape) > 2:
            image = visit.inputs[0].shape[1:]
        elif isinstance(visit.layer, Dense) and image and visit.inputs[0].shape[1:] == (math.prod(image),):
            yield visit.path, (math.prod(image[:-2]), image[-2], image[-1])
            image = ()
