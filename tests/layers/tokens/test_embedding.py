import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_torch
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import Embedding


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(2, 5), (1,), (), (2, 3, 2)])
def test_agrees_with_torch_also_where_ids_repeat(torch, shape):
    ids = np.random.default_rng(0).integers(0, 4, shape).astype(np.int32)
    against_torch(torch, Embedding(7, 3), lambda p, ids: torch.nn.functional.embedding(ids, p["embedding"]), ids)


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int32, jnp.uint32])
def test_every_integer_dtype_reads_the_named_row(dtype):
    table = {"embedding": jnp.arange(600.0).reshape(300, 2)}
    assert Embedding(300, 2).forward(table, jnp.array([0, 127], dtype)).tolist() == [[0, 1], [254, 255]]


@pytest.mark.parametrize("bad", [-1, 5, 2**31 - 1, -(2**31)])
def test_an_id_out_of_range_gives_nan_and_no_gradient(bad):
    table, ids = jnp.ones((5, 2)), jnp.array([4, bad, 0])
    y, pull = jax.vjp(lambda t: Embedding(5, 2).forward({"embedding": t}, ids), table)
    assert jnp.isnan(y).all(-1).tolist() == [False, True, False]
    assert pull(jnp.ones_like(y))[0].sum(-1).tolist() == [2, 0, 0, 0, 2]


def test_rows_start_small(key):
    params, _ = Embedding(1000, 50).init(key, jax.ShapeDtypeStruct((1,), jnp.int32))
    np.testing.assert_allclose(params["embedding"].std(), 0.02, rtol=0.02)


def test_floating_ids_and_empty_tables_are_refused(key):
    with pytest.raises(ShapeError, match="integer"):
        Embedding(5, 2).init(key, jax.ShapeDtypeStruct((2,), jnp.float32))
    with pytest.raises(ConfigError, match="vocab_size = 0"):
        Embedding(0, 2)
