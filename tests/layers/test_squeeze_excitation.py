import jax
import jax.numpy as jnp
import pytest

from tests.support.layers import against_torch, normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import SqueezeExcitation


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("seed", "shape", "hidden", "function", "gate"),
    [
        (0, (2, 3, 5, 6), 2, "relu", "sigmoid"),
        (1, (1, 1, 1, 4), 3, "silu", "sigmoid"),
        (2, (3, 7, 5), 4, "relu", {"name": "leaky_relu", "negative_slope": 0.2}),
    ],
)
def test_agrees_with_torch(torch, seed, shape, hidden, function, gate):
    import torch.nn.functional as F

    functions = {"relu": F.relu, "silu": F.silu, "sigmoid": torch.sigmoid}

    def oracle(p, x):
        mean = x.mean(tuple(range(1, x.ndim - 1)), keepdim=True)
        squeezed = functions[function](F.linear(mean, p["squeeze"]["kernel"].T, p["squeeze"]["bias"]))
        weights = F.linear(squeezed, p["excite"]["kernel"].T, p["excite"]["bias"])
        return x * (functions[gate](weights) if isinstance(gate, str) else F.leaky_relu(weights, 0.2))

    against_torch(torch, SqueezeExcitation(hidden, function, gate), oracle, normal(seed, *shape), seed=seed)


@pytest.mark.parametrize(("shape", "text"), [((2, 4), "at least 3 axes"), ((2, 0, 3, 4), "no element to pool")])
def test_inputs_without_a_spatial_element_are_refused(shape, text):
    with pytest.raises(ShapeError, match=text):
        SqueezeExcitation(2).init(jax.random.key(0), Spec(shape, jnp.float32))
