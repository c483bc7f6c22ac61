import jax.numpy as jnp
import pytest

from tests.support.layers import against_torch, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import Stitch


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "shape"), [(Stitch((2, 5)), (3, 4, 3)), (Stitch((6,), use_bias=False), (1, 2, 2, 3)), (Stitch((2, 1, 2)), (2,))]
)
def test_agrees_with_torch(torch, layer, shape):
    def oracle(params, x):
        y = torch.nn.functional.linear(x.flatten(1) if x.ndim > 1 else x[:, None], params["dense"]["kernel"].T)
        return torch.unflatten(y + params["dense"].get("bias", 0.0), 1, layer.shape)

    against_torch(torch, layer, oracle, normal(0, *shape), seed=len(shape))


def test_bad_shapes_are_refused():
    with pytest.raises(ConfigError, match="shape"):
        Stitch((2, 0))
    with pytest.raises(ShapeError, match="at least 1 axes"):
        check(Stitch((2,)), Spec((), jnp.float32))
