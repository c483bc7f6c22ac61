import jax
import pytest

from zerfoo_jax.core.forms import are_as_defined, are_for_cpu, as_defined
import zerfoo_jax.layers as L


def operations(layer, *shape):
    x = jax.ShapeDtypeStruct(shape, "float32")
    params, _ = jax.eval_shape(lambda key: layer.init(key, x), jax.random.key(0))
    return [equation.primitive.name for equation in jax.make_jaxpr(lambda p, x: layer.forward(p, x))(params, x).eqns]


@pytest.mark.parametrize(
    ("layer", "word"),
    [
        (L.Conv2D(4, 3, groups=2, use_bias=False), "conv_general_dilated"),
        (L.MaxPool2D(3, 2), "reduce_window_max"),
        (L.AvgPool2D(3, 2), "reduce_window_sum"),
        (L.ConvTranspose2D(4, 3, 2, use_bias=False), "conv_general_dilated"),
    ],
)
def test_as_defined_a_layer_is_one_word(layer, word):
    here = operations(layer, 1, 6, 5, 4)
    with as_defined():
        assert are_as_defined() and not are_for_cpu()
        defined = operations(layer, 1, 6, 5, 4)
    assert defined.count(word) == 1 and len(defined) <= 4
    assert word not in here or len(here) > len(defined)
    assert not are_as_defined()


def test_cpu_forms_are_for_cpus(monkeypatch):
    assert are_for_cpu() == (jax.default_backend() == "cpu")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not are_for_cpu() and not are_as_defined()
