"""A network as an artefact that runs without its code."""

from pathlib import Path

import jax
from jax import export
import jax.numpy as jnp
import numpy as np
import pytest

from tests.common.test_layers import EXAMPLES
from tests.support.layers import random_variables
from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.types import spec_of
from zerfoo_jax.formats import load, save, stablehlo, summarize
from zerfoo_jax.formats.convert import compare, with_dtype
from zerfoo_jax.graph import Graph, Input, Node
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.layers import Add, BatchNorm, Conv2D, Dense, Flatten, Sequential


@pytest.fixture
def network() -> Network:
    model = Sequential((Conv2D(3, 3), BatchNorm(), Flatten(), Dense(5)))
    network = Network.new(model, jax.random.key(0), jnp.ones((1, 6, 6, 2)))
    params = jax.tree.map(lambda x: x + 0.1, network.params)
    return Network(model, params, network.state, network.specs)


def test_it_runs_for_every_batch_size_by_jax_alone(network: Network, tmp_path: Path) -> None:
    save(network, path := tmp_path / "model.stablehlo")
    artefact = export.deserialize(bytearray(path.read_bytes()))
    for rows in (1, 3, 8):
        x = jax.random.normal(jax.random.key(rows), (rows, 6, 6, 2))
        np.testing.assert_allclose(artefact.call(x), network(x), rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(stablehlo.load_function(path)(x), artefact.call(x))


def test_one_batch_size_is_kept(network: Network, tmp_path: Path) -> None:
    save(network, path := tmp_path / "model.stablehlo", batch=2, platforms=("cpu",))
    assert "float32[2,6,6,2]" in summarize(path).inputs[0]
    assert summarize(path).facts["platforms"] == "cpu"


def test_a_graphs_declared_sizes_stay(tmp_path: Path) -> None:
    inputs = (Input("a", (None, None, 4)), Input("b", (None, None, 4)))
    graph = Graph(inputs, (Node("sum", Add(), ("a", "b")), Node("dense", Dense(2), ("a",))), ("dense",))
    network = Network.new(graph, jax.random.key(0), *(one.spec() for one in inputs))
    with pytest.raises(FormatError, match="size_0_1"):  # Add wants them equal, which two unknown sizes need not be
        save(network, tmp_path / "model.stablehlo")
    assert not list(tmp_path.iterdir())


def test_float64_is_kept_or_refused(tmp_path: Path) -> None:
    network = with_dtype(Network.new(Dense(2), jax.random.key(0), jax.ShapeDtypeStruct((1, 4), "float32")), "float64")
    with pytest.raises(FormatError, match="float64, which JAX would turn into float32"):
        save(network, tmp_path / "model.stablehlo")
    with jax.enable_x64(True):
        save(network, path := tmp_path / "model.stablehlo")
    assert [*summarize(path).inputs] == ["float64[batch,4]"]


SAMPLE = ("Attention", "Conv2D", "LSTM", "Stack")


@pytest.mark.parametrize("name", [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.slow) for name in EXAMPLES])
def test_layers(name: str, tmp_path: Path) -> None:
    layer, xs = EXAMPLES[name]
    specs = tuple(map(spec_of, map(jnp.asarray, xs)))
    network = Network(layer, *random_variables(layer, *specs, seed=1), specs)
    save(network, path := tmp_path / "model.stablehlo", platforms=("cpu",))
    assert compare(network, path).relative < 1e-5


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 100, b"PK\3\4" + b"\0" * 60, b"\x80\x04\x95" + b"a" * 90])
def test_what_is_no_artefact_is_refused(content: bytes, tmp_path: Path) -> None:
    (path := tmp_path / "model.stablehlo").write_bytes(content)
    with pytest.raises(FormatError, match="artefact"):
        summarize(path)


def test_it_cannot_be_trained(network: Network, tmp_path: Path) -> None:
    save(network, path := tmp_path / "model.stablehlo")
    with pytest.raises(Exception, match="cannot read stablehlo"):
        load(path)
