import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_torch, random_variables
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import Dense, Embedding, MultiHeadAttention, TextEncoder, TokenEmbeddings

IDS = np.random.default_rng(0).integers(0, 7, (3, 5)).astype(np.int32)
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 0, 0]])
ENCODER = TextEncoder(Embedding(7, 6), MultiHeadAttention(1), Dense(4))


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.bool_, np.int32])
@pytest.mark.parametrize("pooled", [False, True])
def test_agrees_with_torch(torch, pooled, dtype):
    def oracle(p, ids, mask):
        x = p["embeddings"]["embedding"][ids.long()]
        q, k, v = (x @ p["blocks"][name]["kernel"] + p["blocks"][name]["bias"] for name in ("query", "key", "value"))
        scores = (q @ k.mT / 6**0.5).masked_fill(mask[:, None, :] == 0, -torch.inf)
        hidden = torch.softmax(scores, -1) @ v @ p["blocks"]["out"]["kernel"] + p["blocks"]["out"]["bias"]
        return hidden @ p["pooler"]["kernel"] + p["pooler"]["bias"] if pooled else hidden

    class Pooled(TextEncoder):  # the gradient checks take one output
        def connect(self, call, ids, mask=None):
            return super().connect(call, ids, mask)[1]

    plain = TextEncoder(ENCODER.embeddings, ENCODER.blocks)
    layer = Pooled(ENCODER.embeddings, ENCODER.blocks, ENCODER.pooler) if pooled else plain
    against_torch(torch, layer, oracle, IDS, MASK.astype(dtype))


def test_without_a_mask_all_tokens_count():
    params, state = random_variables(ENCODER, IDS)
    run = jax.jit(lambda *xs: ENCODER.apply(params, state, *xs)[0])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), run(IDS), run(IDS, np.ones_like(IDS)))


def test_further_inputs_go_to_the_embeddings():
    encoder = TextEncoder(TokenEmbeddings(7, 6, 5), MultiHeadAttention(1))
    params, state = random_variables(encoder, IDS)
    run = jax.jit(lambda *xs: encoder.apply(params, state, *xs)[0])
    plain, typed = run(IDS, MASK), run(IDS, MASK, jnp.ones_like(IDS))
    np.testing.assert_array_equal(run(IDS, MASK, jnp.zeros_like(IDS)), plain)
    assert not np.allclose(typed, plain, atol=1e-2)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ((Spec((2, 6), "int32"), Spec((2, 5), "bool")), r"\(2, 6\) needs a mask of that shape, got \(2, 5\)"),
        ((Spec((2, 6, 1), "int32"),), "batch, seq"),
    ],
)
def test_bad_inputs_are_refused(inputs, words):
    with pytest.raises(ShapeError, match=words):
        ENCODER.init(jax.random.key(0), *inputs)
