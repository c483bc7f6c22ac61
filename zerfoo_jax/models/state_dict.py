"""A model's arrays from another library's flat dictionary `{name: array}`, and back.

What a state dict calls its tensors, and how they lie in memory, is data: a map from each foreign name to the leaves that the
tensor holds::

    names = {
        "fc.weight": Tensor(("params/dense_0/kernel",), LINEAR),     # (out, in) there, (in, out) here
        "fc.bias": Tensor(("params/dense_0/bias",)),
        "bn.num_batches_tracked": None,                              # may be there, means nothing here
        "h.3.attn.c_attn.weight": Tensor(                            # one (in, 3 · out) tensor for three kernels,
            tuple(f"params/stack_0/{part}/kernel" for part in ("query", "key", "value")),
            axis=1,                                                  # side by side along its axis 1,
            index=3,                                                 # in the fourth block of a Stack
        ),
    }

Paths begin with `params/` or `state/`. The same map serves both directions. Auxiliary losses in the state have no names: they
start as zeros. Arrays are NumPy's: a PyTorch state dict becomes one by
`{name: tensor.numpy() for name, tensor in module.state_dict().items()}`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import CheckpointError, Problem
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params, Spec, State, Tree


class Layout(NamedTuple):
    """How an array lies in memory elsewhere: `read` turns theirs into ours, `write` ours into theirs.

    Both use only methods that NumPy and JAX arrays share (`reshape`, `transpose`): shapes are found without computing.
    """

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def transposed(*axes: int) -> Layout:
    """Our axis k is their axis `axes[k]`."""
    back = tuple(axes.index(axis) for axis in range(len(axes)))
    return Layout(lambda x: x.transpose(axes), lambda x: x.transpose(back))


def leading_ones(count: int) -> Layout:
    """Theirs has `count` more axes of size 1 in front."""
    return Layout(lambda x: x.reshape(x.shape[count:]), lambda x: x.reshape((1,) * count + x.shape))


def after_flatten(height: int, width: int, channels: int) -> Layout:
    """The linear layer (out, channels · height · width) behind an image flattened channels first; ours flattens them last."""
    return Layout(
        lambda x: x.reshape(-1, channels, height, width).transpose(2, 3, 1, 0).reshape(height * width * channels, -1),
        lambda x: x.reshape(height, width, channels, -1).transpose(3, 2, 0, 1).reshape(-1, channels * height * width),
    )


AS_IS = Layout(lambda x: x, lambda x: x)
LINEAR = transposed(1, 0)
"""(out, in) there, (in, out) here."""
CONV = transposed(2, 3, 1, 0)
"""OIHW there, HWIO here."""
CONV_TRANSPOSE = transposed(2, 3, 0, 1)
"""IOHW there, HWIO here."""
POINTWISE = Layout(lambda x: x.reshape(x.shape[:2]).transpose(1, 0), lambda x: x.transpose(1, 0).reshape(*x.shape[::-1], 1, 1))
"""A 1x1 convolution (out, in, 1, 1) there, a matrix (in, out) here."""


@dataclass(frozen=True)
class Tensor:
    """The leaves that one tensor of a state dict holds.

    Several leaves lie side by side along the tensor's `axis`, each as wide as it needs. `index` picks one block's entry of
    leaves that a `Stack` holds stacked.
    """

    leaves: tuple[str, ...]
    layout: Layout = AS_IS
    axis: int = 0
    index: int | None = None


Names = Mapping[str, Tensor | None]
"""Foreign names, each with what it holds; None for what may be there and means nothing here, such as a counter."""


def from_state_dict(model: Layer, names: Names, state_dict: Mapping[str, np.ndarray], *specs: Spec) -> tuple[Params, State]:
    """The parameters and the state of `model`, for inputs of these shapes, from the arrays of `state_dict`.

    Floating arrays are cast to the dtypes that `model.init` gives. Raises one `CheckpointError` that lists every missing,
    unexpected and mis-shaped array; or, where the map does not fit the model, every leaf that it leaves out, fills twice or
    invents.

    >>> from zerfoo_jax.layers import Dense
    >>> names = {"weight": Tensor(("params/kernel",), LINEAR), "bias": Tensor(("params/bias",))}
    >>> arrays = {"weight": np.ones((3, 2), np.float32), "bias": np.zeros(3, np.float32)}
    >>> params, state = from_state_dict(Dense(3), names, arrays, Spec((1, 2), "float32"))
    >>> params["kernel"].shape
    (2, 3)
    """
    tree = _tree(*jax.eval_shape(model.init, jax.random.key(0), *specs))
    wanted = _by_path(tree)
    _expect_fitting(names, wanted)
    problems = [
        Problem(f"unexpected: {name} of shape {np.shape(array)}") for name, array in state_dict.items() if name not in names
    ]
    shapes = {name: _shapes(tensor, wanted) for name, tensor in _held(names)}
    for name, tensor in _held(names):
        cause = _complaint(name, state_dict.get(name), _joined(shapes[name], tensor.axis))
        problems += [Problem(cause, ", ".join(tensor.leaves))] if cause else []
    if problems:
        raise CheckpointError(problems)
    values = {path: np.empty(spec.shape, spec.dtype) for path, spec in wanted.items()}
    for name, tensor in _held(names):
        _fill(values, tensor, np.asarray(state_dict[name]), shapes[name])

    def value(keys: Any, spec: Spec) -> Array:
        return jnp.zeros(spec.shape, spec.dtype) if _of_one_step(keys) else jnp.asarray(values[_path(keys)])

    filled = jax.tree.map_with_path(value, tree)
    return filled["params"], filled["state"]


def to_state_dict(names: Names, params: Params, state: State) -> dict[str, np.ndarray]:
    """The inverse of `from_state_dict`: arrays by their foreign names.

    Raises `CheckpointError` where the map does not fit the leaves.

    >>> names = {"weight": Tensor(("params/kernel",), LINEAR)}
    >>> to_state_dict(names, {"kernel": jnp.ones((2, 3))}, {})["weight"].shape
    (3, 2)
    """
    leaves = jax.device_get(_by_path(_tree(params, state)))
    _expect_fitting(names, leaves)
    return {name: _written(tensor, leaves) for name, tensor in _held(names)}


def _held(names: Names) -> Iterator[tuple[str, Tensor]]:
    return ((name, tensor) for name, tensor in names.items() if tensor is not None)


def _tree(params: Params, state: State) -> Tree:
    return {"params": params, "state": state}


def _path(keys: Any) -> str:
    return jax.tree_util.keystr(keys, simple=True, separator="/")


def _of_one_step(keys: Any) -> bool:
    """Whether a leaf is an auxiliary loss: every training step makes it anew, and no state dict holds one."""
    return keys[0].key == "state" and keys[-1].key == "auxiliary_loss"


def _by_path(tree: Tree) -> dict[str, Any]:
    return {_path(keys): leaf for keys, leaf in jax.tree_util.tree_leaves_with_path(tree) if not _of_one_step(keys)}


def _expect_fitting(names: Names, leaves: Mapping[str, Any]) -> None:
    """Raises unless the map fills every leaf exactly once, whole or entry by entry."""
    filled: dict[str, list[int | None]] = defaultdict(list)
    for _, tensor in _held(names):
        for path in tensor.leaves:
            filled[path].append(tensor.index)
    problems = [Problem("the map fills a leaf that the model does not have", path) for path in filled if path not in leaves]
    for path, leaf in leaves.items():
        found, depth = filled[path], leaf.shape[0] if leaf.shape else 0
        if found != [None] and (len(found) != depth or set(found) != set(range(len(found)))):
            problems.append(Problem("the map does not fill this leaf exactly once", path))
    if problems:
        raise CheckpointError([replace(p, fix="make the map with the arguments of the model") for p in problems])


def _shapes(tensor: Tensor, leaves: Mapping[str, Spec]) -> list[tuple[int, ...]]:
    """The shapes, as they lie there, of the leaves that a tensor holds."""
    specs = [leaves[path] for path in tensor.leaves]
    ours = [spec if tensor.index is None else Spec(spec.shape[1:], spec.dtype) for spec in specs]
    return [jax.eval_shape(tensor.layout.write, spec).shape for spec in ours]


def _joined(shapes: list[tuple[int, ...]], axis: int) -> tuple[int, ...]:
    first = shapes[0]
    return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :]) if len(shapes) > 1 else first


def _complaint(name: str, array: Any, shape: tuple[int, ...]) -> str:
    if array is None:
        return f"missing: {name} of shape {shape}"
    if np.shape(array) != shape:
        return f"different shape: {name} is {np.shape(array)}, wanted {shape}"
    if not jnp.issubdtype(np.asarray(array).dtype, jnp.floating):
        return f"different dtype: {name} is {np.asarray(array).dtype}, wanted floating-point numbers"
    return ""


def _fill(values: dict[str, np.ndarray], tensor: Tensor, array: np.ndarray, shapes: list[tuple[int, ...]]) -> None:
    ends = list(accumulate(shape[tensor.axis] for shape in shapes[:-1]))
    for path, part in zip(tensor.leaves, np.split(array, ends, tensor.axis) if ends else [array], strict=True):
        values[path][... if tensor.index is None else tensor.index] = tensor.layout.read(part)


def _written(tensor: Tensor, leaves: Mapping[str, np.ndarray]) -> np.ndarray:
    whole = [leaves[path] if tensor.index is None else leaves[path][tensor.index] for path in tensor.leaves]
    parts = [tensor.layout.write(part) for part in whole]
    return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts, tensor.axis))
