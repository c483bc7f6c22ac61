import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.losses import mse


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(4,), (1, 3), (3, 5), (2, 3, 4)])
def test_agrees_with_torch(torch, shape):
    outputs, targets, cotangent = normal(0, *shape), normal(1, *shape), normal(2, shape[0])
    z = torch.tensor(outputs, requires_grad=True)
    loss = ((z - torch.tensor(targets)) ** 2).reshape(shape[0], -1).mean(1)
    loss.backward(torch.tensor(cotangent))
    value, pull = jax.vjp(lambda z: mse(z, targets), jnp.asarray(outputs))
    np.testing.assert_allclose(value, loss.detach(), rtol=1e-5)
    np.testing.assert_allclose(pull(jnp.asarray(cotangent))[0], z.grad, rtol=1e-4)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_squared_in_float32(dtype):
    loss = mse(jnp.full((2, 3), 1000, dtype), jnp.zeros((2, 3)))
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, 1e6)


@pytest.mark.parametrize(("outputs", "targets"), [((4, 1), (4,)), ((4,), (4, 1)), ((1, 4), (4, 4))])
def test_shapes_that_would_broadcast_are_refused(outputs, targets):
    with pytest.raises(ShapeError, match="mse"):
        mse(jnp.zeros(outputs), jnp.zeros(targets))
