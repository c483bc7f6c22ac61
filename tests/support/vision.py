"""Whole networks beside the same networks in torch: equal arrays by name, equal outputs and running statistics."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from tests.support.layers import assert_close, normal
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Spec
from zerfoo_jax.models.state_dict import Names, from_state_dict, to_state_dict


def parameter_count(model: Layer, *shape: int, dtype: str = "float32") -> int:
    """How many trainable numbers a model has, without making any."""
    params, _ = jax.eval_shape(lambda key: model.init(key, Spec(shape, dtype)), jax.random.key(0))
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))


def randomise(torch: Any, module: Any, seed: int = 0) -> None:
    """Random kernels that keep the signal's size, and biases, scales and running statistics that are not the initial ones."""
    random = np.random.default_rng(seed)
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if tensor.ndim > 1:
            values = random.standard_normal(tensor.shape) * (2 / tensor[0].numel()) ** 0.5
        elif name.endswith(("weight", "running_var")):
            values = random.uniform(0.5, 1.5, tensor.shape)
        else:
            values = 0.2 * random.standard_normal(tensor.shape)
        tensor.copy_(torch.tensor(values))


def arrays_of(module: Any) -> dict[str, np.ndarray]:
    """A torch module's state dict as NumPy arrays."""
    return {name: tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}


def against_torch_module(
    torch: Any,
    model: Layer,
    names: Names,
    module: Any,
    *shape: int,
    modes: Any = (False, True),
    arrays_of: Callable[[Any], dict[str, np.ndarray]] = arrays_of,
) -> None:
    """Gives `module` random arrays, reads them by `names`, and compares outputs and running statistics in both modes.

    Images of `shape` (batch, height, width, channels) go in; torch sees them channels first. `arrays_of` gives the state dict.
    """
    randomise(torch, module)
    arrays, x = arrays_of(module), normal(1, *shape)
    params, state = from_state_dict(model, names, arrays, Spec(shape, "float32"))
    assert_same_arrays(to_state_dict(names, params, state), arrays)
    for train in modes:
        y, new_state = _run_once(model, train, params, state, x)
        with torch.no_grad():
            expected = module.train(train)(torch.tensor(x.transpose(0, 3, 1, 2)))
        if expected.ndim == 4:
            expected = expected.permute(0, 2, 3, 1)
        assert_close(y, expected.numpy(), 1e-4, f"output, train={train}")
        after, theirs = to_state_dict(names, params, new_state), arrays_of(module)
        for name in after:
            assert_close(after[name], theirs[name], 1e-4, f"{name}, train={train}")


def _run_once(model: Layer, train: bool, *inputs: Any) -> Any:
    """The model's output and new state, compiled as fast as possible: whole networks take seconds otherwise."""

    def run(params: Any, state: Any, x: Any) -> Any:
        return model.apply(params, state, x, key=jax.random.key(0), train=train)

    return jax.jit(run).lower(*inputs).compile(compiler_options={"xla_backend_optimization_level": 0})(*inputs)


def assert_same_arrays(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> None:
    """Equal bit for bit; a counter that has no counterpart here may be missing."""
    assert {*theirs} - {*ours} == {name for name in theirs if name.endswith("num_batches_tracked")}
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
