"""Models as bytes: every format that is written and read, all types of numbers, what is wrong with them."""

import jax
import ml_dtypes
import numpy as np
import pytest

from tests.support.zmf_networks import expect_equal, network_of
from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.formats import FORMATS, from_bytes, save, to_bytes
from zerfoo_jax.graph.editing import Network
import zerfoo_jax.layers as L

FLOATS = ["bfloat16", "float16", "float32", "float4_e2m1fn", "float64"]
TYPES = [*FLOATS, *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))]
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
BOTH_WAYS = [name for name, one in FORMATS.items() if one.can("read") and one.can("write")]


@pytest.mark.parametrize("format", BOTH_WAYS)
def test_the_bytes_are_those_of_the_file(format, tmp_path):
    pytest.importorskip("onnx") if format == "onnx" else None
    network = network_of(L.Sequential((L.Dense(3), L.LayerNorm())), X)
    data = to_bytes(network, format)
    save(network, tmp_path / "file", format=format)
    assert (tmp_path / "file").read_bytes() == data
    found = from_bytes(memoryview(data), format)
    np.testing.assert_allclose(found(X), network(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("format", ["safetensors", "zmf"])
@pytest.mark.parametrize("name", TYPES)
def test_numbers_of_every_type_come_back_to_the_bit(name, format):
    network, chance = network_of(L.Quantized(L.Dense(5), to="int4", activations="float"), X), np.random.default_rng(0)
    dtype = np.dtype(getattr(ml_dtypes, name, name))

    def numbers(leaf):
        raw = chance.integers(0, 16 if name.startswith("float4") else 256, leaf.size * dtype.itemsize, np.uint8)
        return raw.view(dtype).reshape(leaf.shape)

    expect_equal(from_bytes(to_bytes(network, format), format), network)  # codes and scales as they are
    changed = Network(network.model, jax.tree.map(numbers, network.params), network.state, network.specs)
    expect_equal(from_bytes(to_bytes(changed, format), format), changed)


def test_what_says_what_it_is_need_not_be_named():
    network = network_of(L.Dense(3), X)
    for format in ("safetensors", "loom"):
        assert from_bytes(to_bytes(network, format)).specs == network.specs
    with pytest.raises(FormatError, match="no model file of a known format") as caught:
        from_bytes(to_bytes(network, "zmf"))
    assert caught.value.problems[0].place == "<bytes>"


def test_what_is_wrong_is_said_without_a_file():
    with pytest.raises(FormatError) as caught:
        from_bytes(b"\xff" * 20, "zmf")
    assert caught.value.problems[0].place.startswith("<bytes>")
    with pytest.raises(ConfigError, match="several files"):
        to_bytes(network_of(L.Dense(300), np.ones((1, 100), np.float32)), "zmf", aside=True)
    with pytest.raises(ConfigError, match="unknown format 'zfm'"):
        to_bytes(network_of(L.Dense(3), X), "zfm")
