"""Control flow, run step by step, gives what XLA gives."""

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import DivergedError
from zerfoo_jax.engines import ENGINES

X = jnp.asarray(np.linspace(0.5, 2, 6, dtype=np.float32).reshape(3, 2))


@jax.custom_vjp
def clipped(x):
    return jnp.minimum(x, 1)


clipped.defvjp(lambda x: (clipped(x), x), lambda x, g: (jnp.where(x < 5, 3 * g, g),))


@jax.custom_jvp
def doubled(x):
    return x * 2


@doubled.defjvp
def _(primals, tangents):
    return doubled(*primals), 7 * tangents[0]


def keys(x):
    drawn = [jax.random.normal(key, (2,)) for key in jax.random.split(jax.random.key(3), 3)]
    return lax.scan(lambda c, k: (c, jax.random.fold_in(k, c)), 1, jax.random.split(jax.random.key(0), 3)), drawn, x


FUNCTIONS = {
    "rows": lambda x: lax.scan(lambda c, row: (c * row.sum(), (c, row + c)), jnp.float32(1), x),
    "backwards": lambda x: lax.scan(lambda c, row: (c - row, c), x[0], x, reverse=True),
    "no rows": lambda x: lax.scan(lambda c, _: (c * 2, c), x, None, length=3),
    "no iterations": lambda x: lax.scan(lambda c, row: (c, row[None] * 2), x, x[:0]),
    "nested": lambda x: lax.scan(lambda c, row: lax.scan(lambda d, e: (d + e, d * e), c, row), jnp.float32(0), x),
    "while": lambda x: lax.while_loop(lambda s: s[0].sum() < x.sum() * 40, lambda s: (s[0] * x + x, s[1] + 1), (x, 0)),
    "never": lambda x: lax.while_loop(lambda y: y.sum() < 0, lambda y: y * x, x),
    "batched while": jax.vmap(lambda row: lax.while_loop(lambda y: y.sum() < 30, lambda y: y * 3, row)),
    "cond": lambda x: [lax.cond(x.sum() > limit, lambda x: x + 1, lambda x: x * x, x) for limit in (0.0, 100.0)],
    "switch": lambda x: [lax.switch(i, [lambda x: x, lambda x: x + 1, lambda x: -x], x) for i in (-3, 0, 1, 2, 9)],
    "calls": lambda x: jax.jit(lambda x: jax.checkpoint(lambda x: jnp.where(x > 1, x, 0))(x) + 1)(x),
    "derivatives": lambda x: clipped(doubled(x)),
    "passed on": lambda x: (x, 3.0, {"a": x[0], "b": None}),
    "keys": keys,
    "constants": lambda x: x @ np.ones((2, 3), np.float32) + jnp.arange(3)[None],
    "complex": lambda x: jnp.fft.ifft(jnp.fft.fft(x) * 2).real,
    "x64 off": lambda x: (x.astype(jnp.bfloat16) * 3, x.sum() > 2, x.argmax()),
}


def same(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert (a.dtype, a.shape, a.aval.weak_type) == (e.dtype, e.shape, e.aval.weak_type)
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, e = map(jax.random.key_data, (a, e))
        np.testing.assert_allclose(np.asarray(a, np.float64), np.asarray(e, np.float64), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_as_xla(name):
    function = FUNCTIONS[name]
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        expected = ENGINES["xla"].compile(function)(X)
        same(ENGINES["eager"].compile(function)(X), expected)
        same(ENGINES["debug"].compile(function)(X), expected)


@pytest.mark.parametrize("name", ["rows", "calls", "derivatives"])
def test_gradients_as_xla(name):
    def function(x):
        return sum(jnp.sum(jnp.sin(y)) for y in jax.tree.leaves(FUNCTIONS[name](x)))

    gradient = jax.value_and_grad(function)
    same(ENGINES["eager"].compile(gradient)(X), ENGINES["xla"].compile(gradient)(X))


def test_a_function_is_traced_once_for_each_shape():
    traces = []

    def function(x, scale):
        traces.append(x.shape)
        return x * scale

    run = ENGINES["eager"].compile(function)
    assert [run(x, 2.0).tolist() for x in (np.float32([1]), np.float32([2]), np.float32([1, 2]))] == [[2], [4], [2, 4]]
    assert traces == [(1,), (2,)]


@pytest.mark.parametrize("name", ["debug", "eager", "xla"])
def test_arguments_by_name(name):
    run = ENGINES[name].compile(lambda x, y=1.0, z=0.0: x - 2 * y / z)
    assert float(run(3.0, z=2.0)) == 2 and float(run(3.0, z=1.0, y=1.0)) == 1


def test_a_bad_argument_is_named_by_its_name():
    with pytest.raises(DivergedError, match="argument 'y/0' is not finite: add"):
        ENGINES["debug"].compile(lambda x, y: x + y[0])(1.0, y=[jnp.nan])
