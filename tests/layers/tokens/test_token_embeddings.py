import jax
import numpy as np
import pytest

from tests.support.layers import against_torch, random_variables
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import TokenEmbeddings

LAYER = TokenEmbeddings(vocab_size=7, features=6, max_length=5, num_token_types=3, epsilon=1e-2)


def rows(seed, most, shape):
    return np.random.default_rng(seed).integers(0, most, shape).astype(np.int32)


@pytest.mark.oracle
@pytest.mark.parametrize(("batch", "length", "typed", "seed"), [(2, 5, True, 0), (1, 1, True, 1), (3, 4, False, 2)])
def test_agrees_with_torch(torch, batch, length, typed, seed):
    def oracle(p, ids, types=None):
        x = p["words"]["embedding"][ids.long()] + p["positions"]["embedding"][:length]
        x = x + p["token_types"]["embedding"][types.long() if typed else torch.zeros_like(ids).long()]
        return torch.nn.functional.layer_norm(x, (6,), p["norm"]["scale"], p["norm"]["bias"], 1e-2)

    inputs = (rows(seed, 7, (batch, length)), rows(seed + 1, 3, (batch, length)))
    against_torch(torch, LAYER, oracle, *inputs[: 1 + typed], seed=seed)


def test_dropout_acts_in_training_only(key):
    ids, layer = rows(0, 7, (2, 5)), TokenEmbeddings(7, 6, 5, dropout=0.5)
    params, state = random_variables(layer, ids)
    run = jax.jit(lambda key: [layer.apply(params, state, ids, key=key, train=train)[0] for train in (False, True)])
    still, dropped = map(np.asarray, run(key))
    kept = dropped != 0
    assert 0.2 < float(kept.mean()) < 0.8
    np.testing.assert_allclose(dropped[kept], 2 * still[kept], rtol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ((Spec((2, 6), "int32"),), "6 positions, over max_length = 5"),
        ((Spec((2, 5), "int32"), Spec((2, 4), "int32")), r"\(2, 5\) and \(2, 4\)"),
        ((Spec((2, 5), "float32"),), "integer"),
    ],
)
def test_bad_inputs_are_refused(inputs, words):
    with pytest.raises(ShapeError, match=words):
        LAYER.init(jax.random.key(0), *inputs)
