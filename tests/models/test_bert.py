import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, random_variables
from tests.support.vision import parameter_count
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.models import bert

IDS = jnp.asarray(np.random.default_rng(0).integers(0, 13, (3, 7)), jnp.int32)
MASK = np.arange(7)[None, :] < np.array([[7], [4], [1]])
SMALL = {"vocab_size": 13, "max_length": 9, "num_layers": 2, "features": 8, "num_heads": 2, "hidden": 12}


def test_bert_base_has_as_many_parameters_as_published():
    assert parameter_count(bert(), 1, 128, dtype="int32") == 109_482_240


def test_shapes_of_hidden_states_and_pooled_vector():
    spec = Spec((2, 128), "int32")
    hidden, pooled = check(bert(), spec, Spec((2, 128), "bool"), spec)
    assert hidden.shape == (2, 128, 768) and pooled.shape == (2, 768)


def test_what_is_masked_changes_nothing_else():
    model = bert(**SMALL)
    params, state = random_variables(model, IDS)
    run = jax.jit(lambda ids, mask: model.apply(params, state, ids, mask)[0])
    hidden, pooled = run(IDS, MASK)
    other_hidden, other_pooled = run(jnp.where(MASK, IDS, 12), MASK.astype(np.int32))
    np.testing.assert_array_equal(other_pooled, pooled)
    np.testing.assert_array_equal(other_hidden[MASK], hidden[MASK])
    assert not np.allclose(run(IDS, np.ones_like(MASK))[1][1:], pooled[1:], atol=1e-3)
    alone = run(IDS[1:2, :4], MASK[1:2, :4])[0]
    assert_close(alone[0], hidden[1, :4], 1e-5)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ((Spec((2, 10), "int32"),), "10.*9"),
        ((Spec((2, 7), "float32"),), "integer"),
        ((Spec((2, 7), "int32"), Spec((2, 6), "bool")), r"\(2, 6\)"),
        ((Spec((2, 7), "int32"), Spec((2, 7), "bool"), Spec((2, 6), "int32")), r"\(2, 6\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, words):
    with pytest.raises(ShapeError, match=words):
        check(bert(**SMALL), *inputs)
