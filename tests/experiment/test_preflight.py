import pytest

from tests.experiment.test_wiring import TEXT
from zerfoo_jax.experiment.preflight import batch_spec, estimate, leaf_layers
from zerfoo_jax.experiment.reading import read_config
from zerfoo_jax.experiment.wiring import wire


@pytest.fixture
def wired(tmp_path):
    (tmp_path / "c.yaml").write_text(TEXT)
    return lambda *overrides: wire(*read_config(tmp_path / "c.yaml", overrides))


def test_the_estimate_counts_parameters_and_state(wired):
    needs = estimate(wired())
    assert needs.parameters == 64 * 10 + 10
    # Adam keeps two more numbers for each; what is left are counters and the key.
    assert 3 * 4 * 650 <= needs.state_bytes < 3 * 4 * 650 + 100
    assert needs.peak_bytes is None or needs.peak_bytes > needs.state_bytes
    # Forward and backward of one product: at least 2 * 2 * 8 * 64 * 10, as one gradient (of the inputs) is not needed.
    assert needs.flops_per_step is None or needs.flops_per_step > 2 * 2 * 8 * 64 * 10


def test_the_batch_has_the_configs_size(wired):
    found = batch_spec(wired("train.batch_size=5"))
    assert {name: (spec.shape, str(spec.dtype)) for name, spec in found.items()} == {
        "inputs": ((5, 8, 8, 1), "float32"),
        "targets": ((5,), "int32"),
    }


def test_the_table_lists_layers_that_are_not_made_of_layers(wired):
    inner = "[{type: Residual, inner: {type: Dense, features: 64}}, {type: Dense, features: 10}]"
    nested = f"model.layers.1={{type: Sequential, layers: {inner}}}"
    assert [visit.path for visit in leaf_layers(wired(nested))] == [
        "flatten_0",
        "sequential_0/residual_0/inner",
        "sequential_0/dense_0",
    ]
    assert [visit.path for visit in leaf_layers(wired("model={name: mlp, features: 10, hidden: []}"))] == [
        "flatten_0",
        "dense_0",
    ]
