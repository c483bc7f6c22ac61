import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.losses import adversarial


@pytest.mark.oracle
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_torch(torch, seed):
    logits = 20 * normal(seed, 7, 3)
    z = torch.tensor(logits, requires_grad=True)
    target = torch.tensor([1.0, 0.0, 1.0]).expand(7, 3)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(z, target, reduction="none").sum(1)
    expected.sum().backward()
    loss, grad = jax.value_and_grad(lambda z: adversarial(z, jnp.zeros(7)).sum())(logits)
    np.testing.assert_allclose(loss, expected.sum().item(), rtol=1e-5)
    np.testing.assert_allclose(adversarial(logits, jnp.zeros(7)), expected.detach(), rtol=1e-5)
    np.testing.assert_allclose(grad, z.grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 3, 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ShapeError, match="three logits for each example"):
        adversarial(jnp.zeros(shape), jnp.zeros(5))
