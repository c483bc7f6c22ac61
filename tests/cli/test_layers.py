import json

import pytest

from zerfoo_jax.data import DATASETS
from zerfoo_jax.experiment.tables import TABLES
from zerfoo_jax.layers import ACTIVATIONS, COMBINATIONS, INITIALIZERS, LAYERS, SOFTMAX_VARIANTS
from zerfoo_jax.losses import LOSSES
from zerfoo_jax.metrics import METRICS
from zerfoo_jax.models import MODELS
from zerfoo_jax.optim import OPTIMIZERS, SCHEDULES

EXPECTED = {
    "LAYERS": LAYERS,
    "ACTIVATIONS": ACTIVATIONS,
    "SOFTMAX_VARIANTS": SOFTMAX_VARIANTS,
    "COMBINATIONS": COMBINATIONS,
    "INITIALIZERS": INITIALIZERS,
    "LOSSES": LOSSES,
    "METRICS": METRICS,
    "OPTIMIZERS": OPTIMIZERS,
    "SCHEDULES": SCHEDULES,
    "MODELS": MODELS,
    "DATASETS": DATASETS,
}


def test_the_json_agrees_with_the_tables(invoke):
    result = invoke("layers", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert {table: {member["name"] for member in members} for table, members in found.items()} == {
        table: set(members) for table, members in EXPECTED.items()
    }
    for members in found.values():
        for member in members:
            assert set(member) == {"name", "signature", "summary", "documentation"}
            assert " at 0x" not in member["signature"]
            assert member["documentation"].startswith(member["summary"][:20])


def test_signatures_read_like_a_persons(invoke):
    (dense,) = [m for m in json.loads(invoke("layers", "layers", "--json").stdout)["LAYERS"] if m["name"] == "Dense"]
    assert dense["signature"].startswith("(features: int > 0, use_bias: bool = True, ")


@pytest.mark.parametrize("table", TABLES)
def test_one_table(invoke, table):
    result = invoke("layers", table)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == table
    assert [line.split("(")[0].strip() for line in lines if line[:3].strip() and line != table] == sorted(TABLES[table])


def test_an_unknown_table(invoke):
    assert "did you mean 'LOSSES'?" in invoke("layers", "LOSES").stderr
