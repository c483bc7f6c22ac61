import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_torch, normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import MaskedMean

MASK = np.array([[True, False, True, True], [False, False, False, False], [False, True, False, False]])


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_torchs_nanmean(torch, seed):
    def oracle(_, x, mask):
        return torch.where(mask[..., None], x, torch.nan).nanmean(1).nan_to_num(0.0)

    against_torch(torch, MaskedMean(), oracle, normal(seed, 3, 4, 5), MASK)


def test_half_precision_is_summed_in_float32():
    x = jnp.full((1, 4096, 1), 1.25, jnp.bfloat16)
    y = MaskedMean().forward({}, x, jnp.ones((1, 4096), bool))
    assert y.dtype == jnp.bfloat16 and float(y[0, 0]) == 1.25


def test_what_does_not_count_may_be_anything():
    x = normal(1, 3, 4, 2)
    spoilt = np.where(MASK[..., None], x, np.nan)
    np.testing.assert_array_equal(MaskedMean().forward({}, spoilt, MASK), MaskedMean().forward({}, x, MASK))


@pytest.mark.parametrize(
    ("x", "mask", "words"),
    [
        (Spec((2, 3, 4), "float32"), Spec((2, 4), "bool"), r"boolean mask \(2, 3\)"),
        (Spec((2, 3, 4), "float32"), Spec((2, 3), "int32"), "int32"),
        (Spec((2, 3), "float32"), Spec((2, 3), "bool"), "3 axes"),
        (Spec((2, 3, 4), "int32"), Spec((2, 3), "bool"), "floating"),
    ],
)
def test_bad_inputs_are_refused(key, x, mask, words):
    with pytest.raises(ShapeError, match=words):
        MaskedMean().init(key, x, mask)
