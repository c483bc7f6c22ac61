import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal, outputs_and_gradients
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import SOFTMAX_VARIANTS, Softmax

OPTIONS = {"grid": {"columns": 3}, "hierarchical": {"levels": (2, 2)}, "masked": {"mask": (True, False, True) * 2}}
VARIANTS = [{"name": name, **OPTIONS.get(name, {})} for name in sorted(SOFTMAX_VARIANTS)]

ORACLES = [
    ("standard", lambda torch, x: torch.softmax(x, -1)),
    ({"name": "temperature", "temperature": 0.3}, lambda torch, x: torch.softmax(x / 0.3, -1)),
    ({"name": "grid", "columns": 3}, lambda torch, x: torch.softmax(x.reshape(*x.shape[:-1], 2, 3), -1).reshape(x.shape)),
    ({"name": "grid", "columns": 2}, lambda torch, x: torch.softmax(x.reshape(*x.shape[:-1], 3, 2), -1).reshape(x.shape)),
    (
        {"name": "masked", "mask": (True, True, False, True, False, True)},
        lambda torch, x: torch.softmax(x + torch.tensor([0, 0, -np.inf, 0, -np.inf, 0], dtype=x.dtype), -1),
    ),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("variant", "oracle"), ORACLES)
def test_agrees_with_torch(torch, variant, oracle):
    for seed, shape in enumerate([(3, 6), (1, 2, 6)]):
        against_torch(torch, Softmax(variant), lambda params, x: oracle(torch, x), 3 * normal(seed, *shape))


@pytest.mark.oracle
@pytest.mark.parametrize("mask_shape", [(4, 5), (1, 5)])
def test_a_mask_agrees_with_torch(torch, mask_shape):
    mask = np.random.default_rng(0).random(mask_shape) < 0.6
    mask[..., :1] = True
    against_torch(torch, Softmax(), lambda p, x, m: torch.softmax(x.masked_fill(~m, -torch.inf), -1), normal(0, 4, 5), mask)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v["name"] not in ("hierarchical", "masked")])
def test_a_mask_gives_the_variant_of_what_it_leaves(variant):
    x, mask = normal(0, 3, 6), np.array([1, 1, 1, 0, 0, 0], bool)
    layer = Softmax(variant)
    y, alone = jax.jit(lambda x: (layer.forward({}, x, mask[None]), layer.forward({}, x[:, :3])))(x)
    assert_close(y[:, :3], alone, 1e-5)
    assert not y[:, 3:].any()


@pytest.mark.parametrize(
    ("variant", "dtype"),
    [("entmax", jnp.float32), (VARIANTS[1], jnp.float32), ("sparsemax", jnp.float16), ("standard", jnp.float16)],
)
def test_a_row_without_any_true_gives_zeros_and_a_finite_gradient(variant, dtype):
    x, mask = jnp.asarray(normal(0, 2, 6), dtype), jnp.array([[False] * 6, [True] * 6])
    with jax.debug_nans(True):
        y, (_, (grad,)) = outputs_and_gradients(Softmax(variant), ({}, {}), (x, mask), jnp.asarray(normal(1, 2, 6), dtype))
    assert y.dtype == grad.dtype == dtype
    assert not y[0].any() and not grad[0].any()
    assert y[1].any() and grad[1].any()


def by_walking_the_tree(x, levels):
    """Leaf probabilities in float64, one leaf and one level at a time."""
    leaves = []
    for leaf in np.ndindex(*levels):
        p, start, node = 1.0, 0, 0
        for depth, size in enumerate(levels):
            first = start + node * size
            e = np.exp(x[first : first + size].astype(np.float64))
            p *= e[leaf[depth]] / e.sum()
            start += int(np.prod(levels[: depth + 1]))
            node = node * size + leaf[depth]
        leaves.append(p)
    return np.array(leaves)


@pytest.mark.parametrize("levels", [(4,), (3, 2), (2, 3, 4)])
def test_hierarchical_is_the_product_of_the_choices_on_the_way(levels):
    x = 2 * normal(0, 2, sum(int(np.prod(levels[: i + 1])) for i in range(len(levels))))
    y = Softmax({"name": "hierarchical", "levels": levels}).forward({}, jnp.asarray(x))
    assert_close(y, np.stack([by_walking_the_tree(row, levels) for row in x]), 1e-5)
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-5)


def test_hierarchical_in_loom_is_a_grid_of_its_last_level():
    x = jnp.asarray(normal(0, 2, 12))
    loom = Softmax({"name": "hierarchical", "levels": (3, 4), "loom_compat": True}).forward({}, x)
    e = np.exp(np.asarray(x, np.float64).reshape(2, 3, 4))
    assert_close(loom, (e / e.sum(-1, keepdims=True)).reshape(2, 12), 1e-5)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v["name"])
def test_gradients_agree_with_finite_differences(variant):
    against_finite_differences(Softmax(variant), normal(5, 2, 6))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v["name"])
def test_an_empty_batch_and_large_logits_are_fine(variant):
    layer, x = Softmax(variant), 1e30 * normal(0, 2, 6)
    empty, large = jax.jit(lambda x: (layer.forward({}, x[:0]), layer.forward({}, x)))(x)
    assert empty.shape == (0, large.shape[1])
    assert jnp.isfinite(large).all() and jnp.allclose(large.sum(-1), jnp.round(large.sum(-1)))


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("sparsmax", "did you mean 'sparsemax'"),
        ("grid", "needs 'columns'"),
        ({"name": "temperature", "temperature": 0.0}, "temperature = 0"),
        ({"name": "hierarchical", "levels": (2, 0)}, "levels"),
        ({"name": "standard", "alpha": 1.5}, "no option 'alpha'"),
    ],
)
def test_bad_variants_are_refused(variant, words):
    with pytest.raises(ConfigError, match=words):
        Softmax(variant)


@pytest.mark.parametrize(
    ("variant", "shapes", "words"),
    [
        ({"name": "grid", "columns": 4}, [(2, 6)], "multiple of columns = 4 logits, got 6"),
        ({"name": "hierarchical", "levels": (2, 3)}, [(2, 6)], r"2 \+ 6 = 8 logits, got 6"),
        ({"name": "hierarchical", "levels": (2, 2)}, [(2, 6), (2, 6)], "takes no mask"),
        ({"name": "masked", "mask": (True,)}, [(2, 6)], "1 values for 6 logits"),
        ("standard", [(2, 6), (6,)], "mask"),
        ("standard", [(2, 6), (2, 5)], "mask"),
        ("standard", [()], "at least 1 axes"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(variant, shapes, words):
    dtypes = [jnp.float32, jnp.bool_]
    with pytest.raises(ShapeError, match=words):
        check(Softmax(variant), *map(Spec, shapes, dtypes))


def test_a_mask_of_numbers_is_refused(key):
    with pytest.raises(ShapeError, match="boolean mask, got float32"):
        Softmax().init(key, Spec((2, 6), jnp.float32), Spec((2, 6), jnp.float32))


@pytest.mark.parametrize(
    "options",
    [
        {"name": "grid", "columns": 3},
        {"name": "masked", "mask": (True, False, True, True, False, True)},
        {"name": "sparsemax"},
        {"name": "sparsemax", "loom_compat": True},
        {"name": "entmax", "alpha": 1.3},
        {"name": "entmax", "alpha": 1.3, "loom_compat": True},
    ],
    ids=str,
)
def test_a_temperature_divides_the_logits_first(options):
    x = 0.3 * jnp.asarray(normal(3, 2, 6))
    cooled = Softmax(options | {"temperature": 0.7}).forward({}, x)
    assert_close(cooled, Softmax(options).forward({}, x / np.float32(0.7)), 1e-6)
    assert not np.allclose(cooled, Softmax(options).forward({}, x), atol=1e-3)
