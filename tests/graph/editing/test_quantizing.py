"""Whole networks on codes: what is quantised, which ranges calibration finds, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import graph_of, model_from_spec, model_to_spec
from zerfoo_jax.graph.editing import Network, quantize_network
from zerfoo_jax.layers import Activation, Conv2D, Dense, Flatten, Sequential, Stack


def random(model, *specs, seed=0):
    rng = np.random.default_rng(seed)
    params, state = jax.eval_shape(lambda: model.init(jax.random.key(0), *specs))
    return Network(model, jax.tree.map(lambda p: rng.normal(size=p.shape).astype(p.dtype) * 0.2, params), state, specs)


STACK = Sequential((Stack(Sequential((Dense(8), Activation("tanh"))), 3), Dense(4)))
ROW = Spec((1, 8), jnp.float32)


@pytest.fixture(scope="module")
def batches():
    return [(np.random.default_rng(i).normal(size=(20, 8)).astype(np.float32) * (i + 1),) for i in range(2)]


@pytest.mark.parametrize("to", ["int8", "uint8"])
def test_ranges_are_those_that_reach_each_layer_of_a_stack(to, batches):
    network = random(STACK, ROW)
    small = quantize_network(network, to=to, calibrate=batches)
    x = np.concatenate([batch for (batch,) in batches]).astype(np.float64)
    kernels, biases = (network.params["stack_0"]["dense_0"][name].astype(np.float64) for name in ("kernel", "bias"))
    reaching = []
    for kernel, bias in zip(kernels, biases, strict=True):
        reaching.append(x)
        x = np.tanh(x @ kernel + bias)
    found = small.state["params"]["stack_0"]["dense_0"]["kernel"]
    whole = [(np.abs(r).max() / 127) if to == "int8" else (r.max() - r.min()) / 255 for r in reaching]
    np.testing.assert_allclose(found["input_scale"], whole, rtol=1e-5)
    if to == "uint8":
        zeros = [-r.min() / scale for r, scale in zip(reaching, whole, strict=True)]
        np.testing.assert_allclose(found["input_zero_point"], zeros, atol=0.51)
    head = np.asarray(small.state["params"]["dense_0"]["kernel"]["input_scale"])
    np.testing.assert_allclose(head, (np.abs(x).max() / 127) if to == "int8" else (x.max() - x.min()) / 255, rtol=1e-5)
    y, expected = (jax.jit(n.__call__)(batches[0][0]) for n in (small, network))
    assert np.abs(y - expected).max() < 0.05 * np.abs(expected).max()


def test_a_way_that_cuts_outliers_off_gives_finer_steps(batches):
    network = random(Sequential((Dense(4),)), ROW)
    x = np.random.default_rng(0).normal(size=(4000, 8)).astype(np.float32)
    x[7, 3] = 90.0
    steps = {
        method: float(
            quantize_network(network, calibrate=[(x,)], method=method).state["params"]["dense_0"]["kernel"]["input_scale"]
        )
        for method in ("minmax", "percentile", "entropy")
    }
    assert steps["minmax"] == pytest.approx(90 / 127)
    assert steps["percentile"] < 0.1 and steps["entropy"] < 0.2


def test_graphs_and_convolutions_are_reached_and_what_has_no_codes_stays(batches):
    model = graph_of({"conv": Conv2D(8, 3), "act": Activation("relu"), "flat": Flatten(), "dense": Dense(5)})
    network = random(model, Spec((1, 4, 4, 2), jnp.float32))
    images = np.random.default_rng(1).normal(size=(9, 4, 4, 2)).astype(np.float32)
    small = quantize_network(network, calibrate=[(images,)])
    held = small.state["params"]
    assert held["conv"]["kernel"]["codes"].dtype == jnp.int8 and held["dense"]["kernel"]["codes"].shape == (128, 5)
    np.testing.assert_array_equal(held["conv"]["bias"], network.params["conv"]["bias"])
    assert small.params == {} and small.specs == network.specs
    y, expected = jax.jit(small.__call__)(images), jax.jit(network.__call__)(images)
    assert np.abs(y - expected).max() < 0.03 * np.abs(expected).max()
    assert model_from_spec(model_to_spec(small.model))[0] == small.model
    params, state = jax.eval_shape(lambda: small.model.init(jax.random.key(0), *small.specs))
    assert params == {} and jax.eval_shape(lambda: small.state) == state


@pytest.mark.parametrize("options", [{"to": "int4", "weight_only": True, "block": 4}, {"to": "float8_e4m3fn"}, {}])
def test_without_batches_nothing_is_run(options):
    small = quantize_network(random(STACK, ROW), **options)
    assert "input_scale" not in small.state["params"]["dense_0"]["kernel"]
    assert small.model.activations == ("float" if options.get("weight_only") else "dynamic")
    assert np.isfinite(small(np.ones((3, 8), np.float32))).all()


def test_what_cannot_be_is_refused(batches):
    network = random(STACK, ROW)
    with pytest.raises(ConfigError, match="unknown calibration 'best'"):
        quantize_network(network, calibrate=batches, method="best")
    with pytest.raises(ConfigError, match="weight_only = True needs no calibration"):
        quantize_network(network, calibrate=batches, weight_only=True)
    with pytest.raises(ConfigError, match="does not go with activations = 'dynamic'"):
        quantize_network(network, to="int4")
    with pytest.raises(ConfigError, match="nothing in the network gets codes of int8"):
        quantize_network(quantize_network(network))
    with pytest.raises(DataError, match="no batch reached the kernel at dense_0/kernel"):
        quantize_network(network, calibrate=[])
    with pytest.raises(DataError, match="not all finite"):
        quantize_network(network, calibrate=[(np.full((1, 8), np.nan, np.float32),)])
