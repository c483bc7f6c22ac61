"""Every layer and every architecture goes to ONNX, runs there, and comes back.

By default a few of them; all with the slow tests. One that has no operators would be in `WITHOUT_OPERATORS`, with the reason.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.common.test_layers import EXAMPLES as LAYER_EXAMPLES
from tests.models.test_models import EXAMPLES as MODEL_EXAMPLES
from tests.support.layers import assert_close, random_variables
from tests.support.onnx_files import run_file
from zerfoo_jax import formats
from zerfoo_jax.core.types import spec_of
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.layers import LAYERS
from zerfoo_jax.models import MODELS, model_from_config

WITHOUT_OPERATORS: dict[str, str] = {}

SAMPLE = {
    *("AdaptiveAvgPool1D", "BatchNorm", "Conv2D", "ConvTranspose1D", "Dropout", "Embedding", "GRU", "GlobalAttention"),
    *("LayerNorm", "MaxPool2D", "MixtureOfExperts", "Split", "Stack", "TextLengths"),
    *("gpt2", "resnet18"),
}


def members(table):
    return [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.slow) for name in sorted(table)]


def inputs_of(specs):
    """Five rows of what a model takes; ids below 7."""
    rng = np.random.default_rng(0)
    for spec in specs:
        shape = (5, *spec.shape[1:])
        whole = jnp.issubdtype(spec.dtype, jnp.integer)
        yield rng.integers(0, 7, shape).astype(np.int32) if whole else rng.standard_normal(shape).astype(np.float32)


def check_there_and_back(model, specs, xs, folder):
    """ONNX Runtime and what comes back from the file give what the model gives, for a batch that `specs` do not have."""
    assert all(x.shape[0] != spec.shape[0] for x, spec in zip(xs, specs, strict=True))
    params, state = random_variables(model, *specs, seed=3)
    expected = jax.tree.leaves(jax.jit(lambda params, *xs: model.apply(params, state, *xs)[0])(params, *xs))
    formats.save(Network(model, params, state, tuple(map(spec_of, specs))), folder / "model.onnx")
    back = formats.load(folder / "model.onnx")
    again = jax.jit(lambda params, *xs: back.model.apply(params, back.state, *xs)[0])(back.params, *xs)
    for found in (run_file(folder / "model.onnx", xs), jax.tree.leaves(again)):
        for actual, wanted in zip(found, expected, strict=True):
            assert (actual.shape, actual.dtype) == (wanted.shape, wanted.dtype)
            assert_close(actual, wanted, 1e-5)


@pytest.mark.parametrize("name", members(LAYERS))
def test_layers(name, tmp_path):
    if name in WITHOUT_OPERATORS:
        pytest.skip(WITHOUT_OPERATORS[name])
    layer, xs = LAYER_EXAMPLES[name]
    check_there_and_back(layer, xs, [np.concatenate([x, x])[:5] for x in map(np.asarray, xs)], tmp_path)


@pytest.mark.parametrize("name", members(MODELS))
def test_architectures(name, tmp_path):
    options, inputs, _ = MODEL_EXAMPLES[name]
    specs = inputs if isinstance(inputs, tuple) else (inputs,)
    check_there_and_back(model_from_config({"name": name, **options}, None)[0], specs, list(inputs_of(specs)), tmp_path)


def test_what_has_no_operators_is_there():
    assert set(WITHOUT_OPERATORS) <= set(LAYERS)
