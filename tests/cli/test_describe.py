import json

import pytest

import zerfoo_jax as zf
from zerfoo_jax.layers import ACTIVATIONS, Dense
from zerfoo_jax.losses import LOSSES


@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("losses", LOSSES),
        ("Dense", {"Dense": Dense}),
        ("LOSSES.mse", {"mse": LOSSES["mse"]}),
        ("activations.relu", {"relu": ACTIVATIONS["relu"]}),
    ],
)
def test_a_table_or_a_member(invoke, name, described):
    result = invoke("describe", name)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(json.dumps(zf.describe(described)))


def test_methods(invoke):
    assert json.loads(invoke("describe", "Dense", "--methods").stdout) == {"Dense": zf.methods(Dense)}


def test_names_that_are_unknown_or_ambiguous(invoke):
    unknown, several = invoke("describe", "Dens"), invoke("describe", "mse")
    assert unknown.exit_code == several.exit_code == 2
    assert "did you mean 'Dense'?" in unknown.stderr
    assert "LOSSES and METRICS" in several.stderr and "write LOSSES.mse" in several.stderr
