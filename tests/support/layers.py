"""Layers beside an oracle: the same parameters, inputs and cotangent through both, outputs and all gradients compared."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.test_util import check_grads
import numpy as np

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Params, State, Tree, spec_of


def normal(seed: int, *shape: int) -> np.ndarray:
    """Standard normal float32 values."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def random_variables(layer: Layer, *xs: Any, seed: int = 0, scale: float = 0.5) -> tuple[Params, State]:
    """The initial state, and every parameter (biases and scales too) drawn from scale · N(0, 1)."""

    def init(key: Any) -> tuple[Params, State]:
        return layer.init(key, *map(spec_of, xs))

    params, state = jax.eval_shape(init, jax.random.key(seed))  # compiles nothing
    rng = np.random.default_rng(seed + 1)
    drawn = jax.tree.map(lambda p: jnp.asarray(scale * rng.standard_normal(p.shape), p.dtype), params)
    return drawn, jax.jit(lambda key: init(key)[1])(jax.random.key(seed)) if state else {}


def assert_close(actual: Any, expected: Any, rtol: float, what: str = "") -> None:
    """Equal within `rtol` of the largest expected magnitude, since sums cancel; below a few 1e-6 all is rounding."""
    expected = np.asarray(expected)
    largest = float(np.abs(expected).max()) if expected.size else 0.0
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=rtol, atol=rtol * largest + 3e-6, err_msg=what)


def outputs_and_gradients(
    layer: Layer, variables: tuple[Params, State], xs: tuple[Any, ...], cotangent: Any, **mode: Any
) -> tuple[Any, tuple[Params, list[Any]]]:
    """The layer's output, and the gradients of sum(output · cotangent) for parameters and floating inputs."""
    params, state = variables
    floating = [i for i, x in enumerate(xs) if jnp.issubdtype(x.dtype, jnp.floating)]

    @jax.jit
    def run(params: Params, varied: list[Any], cotangent: Any) -> Tree:
        def forward(params: Params, varied: list[Any]) -> Any:
            inputs = list(xs)
            for i, x in zip(floating, varied, strict=True):
                inputs[i] = x
            return layer.apply(params, state, *inputs, **mode)[0]

        y, pull = jax.vjp(forward, params, varied)
        return y, pull(cotangent)

    return run(params, [jnp.asarray(xs[i]) for i in floating], cotangent)


def against_torch(
    torch: Any, layer: Layer, oracle: Callable[..., Any], *xs: np.ndarray, seed: int = 0, grad_rtol: float = 1e-4, **mode: Any
) -> None:
    """Compares with `oracle(params, *xs)`, which computes in torch from the layer's own parameters as tensors.

    Autograd then gives the oracle's gradients in the layer's own layout: forward within 1e-5, gradients within `grad_rtol`.
    """
    params, state = random_variables(layer, *xs, seed=seed)
    tensors = jax.tree.map(lambda p: torch.tensor(np.asarray(p), requires_grad=True), params)
    inputs = [torch.tensor(x, requires_grad=np.issubdtype(x.dtype, np.floating)) for x in xs]
    expected = oracle(tensors, *inputs)
    cotangent = normal(seed + 2, *expected.shape)
    if expected.requires_grad:
        expected.backward(torch.tensor(cotangent))
    y, (param_grads, x_grads) = outputs_and_gradients(layer, (params, state), xs, cotangent, **mode)
    assert_close(y, expected.detach().numpy(), 1e-5, "output")
    jax.tree.map(lambda g, t: assert_close(g, t.grad.numpy(), grad_rtol, f"parameter {g.shape}"), param_grads, tensors)
    for grad, x in zip(x_grads, (x for x in inputs if x.requires_grad), strict=True):
        assert_close(grad, x.grad.numpy(), grad_rtol, "input")


def against_finite_differences(layer: Layer, *xs: np.ndarray, seed: int = 0, **mode: Any) -> None:
    """Compares all gradients with finite differences in float64."""
    with jax.enable_x64(True):
        wide = [jnp.asarray(x, jnp.float64) for x in xs]
        params, state = random_variables(layer, *wide, seed=seed)
        run = jax.jit(lambda params, *xs: layer.apply(params, state, *xs, **mode)[0])
        assert run(params, *wide).dtype == jnp.float64
        check_grads(run, (params, *wide), order=1, modes=("rev",), atol=1e-6, rtol=1e-6, eps=1e-5)
