"""Losses beside torch: the same outputs and cotangent through both, values and gradients compared."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.support.layers import assert_close, normal
from zerfoo_jax.losses.base import Reduction, Weighted, reduce


def against_torch(
    torch: Any, loss: Callable[..., Any], oracle: Callable[..., Any], *outputs: np.ndarray, reduction: Reduction = "none"
) -> None:
    """Compares `reduce(loss(*outputs), reduction)` with `oracle(*tensors)`: within 1e-5, gradients within 1e-4."""
    tensors = [torch.tensor(x, requires_grad=True) for x in outputs]
    expected = oracle(*tensors)
    cotangent = normal(9, *expected.shape)
    expected.backward(torch.tensor(cotangent))

    @jax.jit
    def run(outputs: Any, cotangent: Any) -> Any:
        value, pull = jax.vjp(lambda *xs: reduce(loss(*xs), reduction), *outputs)
        return value, pull(cotangent)

    value, gradients = run([jnp.asarray(x) for x in outputs], jnp.asarray(cotangent))
    assert_close(value, expected.detach().numpy(), 1e-5, "loss")
    for i, (gradient, tensor) in enumerate(zip(gradients, tensors, strict=True)):
        assert_close(gradient, tensor.grad.numpy(), 1e-4, f"gradient of output {i}")


def values_of(given: Any) -> Any:
    """The values of a loss, `Weighted` or not."""
    return given.value if isinstance(given, Weighted) else given
