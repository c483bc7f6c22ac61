import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import random_variables
from tests.support.vision import parameter_count
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.models import gpt2

IDS = jnp.asarray(np.random.default_rng(0).integers(0, 13, (2, 7)), jnp.int32)
SMALL = {"vocab_size": 13, "max_length": 9, "num_layers": 2, "features": 8, "num_heads": 2, "hidden": 12}


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({}, 124_439_808),
        ({"num_layers": 24, "features": 1024, "num_heads": 16, "hidden": 4096}, 354_823_168),
        ({"num_layers": 48, "features": 1600, "num_heads": 25, "hidden": 6400}, 1_557_611_200),
    ],
    ids=["small", "medium", "extra large"],
)
def test_has_as_many_parameters_as_published(arguments, count):
    model = gpt2(**arguments)
    assert check(model, Spec((2, 33), "int32")).shape == (2, 33, 50257)
    assert parameter_count(model, 1, 8, dtype="int32") == count


def test_positions_matter():
    model = gpt2(**SMALL)
    params, state = random_variables(model, IDS)
    logits = model.apply(params, state, jnp.full((1, 7), 3, jnp.int32))[0]
    assert not np.allclose(logits[0, 1:], logits[0, :1], atol=1e-2)


def test_a_text_longer_than_its_positions_is_refused():
    with pytest.raises(ShapeError, match="10 positions, over max_length = 9"):
        check(gpt2(**SMALL), Spec((1, 10), "int32"))
