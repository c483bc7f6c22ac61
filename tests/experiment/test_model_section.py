"""Training that begins with a model file."""

from pathlib import Path
import subprocess
import sys

import jax
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.experiment.folder import RunFolder
from zerfoo_jax.experiment.reading import read_config
from zerfoo_jax.experiment.train import train
from zerfoo_jax.experiment.trained import open_run
from zerfoo_jax.experiment.wiring import Wired, wire
from zerfoo_jax.formats import save
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.layers import Activation, BatchNorm, Dense, Flatten, Sequential

CONFIG = """
name: further
model: {file: given/m.safetensors}
data: {name: digits}
optimizer: {name: sgd, learning_rate: 0.1}
train: {steps: 4, batch_size: 32}
logging: {tensorboard: false}
"""


@pytest.fixture
def network(tmp_path: Path) -> Network:
    model = Sequential((Flatten(), Dense(12), BatchNorm(), Activation("relu"), Dense(10)))
    network = Network.new(model, jax.random.key(3), jax.ShapeDtypeStruct((1, 8, 8, 1), "float32"))
    (tmp_path / "given").mkdir()
    save(network, tmp_path / "given" / "m.safetensors")
    (tmp_path / "c.yaml").write_text(CONFIG)
    return network


def wired(folder: Path, *overrides: str) -> Wired:
    return wire(*read_config(folder / "c.yaml", overrides))


def test_training_begins_with_the_parameters_of_the_file(network: Network, tmp_path: Path) -> None:
    parts = wired(tmp_path)
    assert parts.model == network.model
    begun = parts.create_state()
    jax.tree.map(np.testing.assert_array_equal, (begun.params, begun.state), (network.params, network.state))


def test_a_run_knows_its_file_again(network: Network, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "runs" / "further")
    train(wired(tmp_path), run)
    assert "../../given/m.safetensors" in run.config.read_text()
    trained = open_run(run.path)
    assert trained.wired.model == network.model
    moved = jax.tree.map(lambda now, then: float(np.abs(now - then).max()), trained.state.params, dict(network.params))
    assert 0 < max(jax.tree.leaves(moved)) < 1


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("model.file=3", "file = 3 is no path"),
        ("model.features=3", "no option 'features'"),
        ("model.file=given/none.safetensors", "cannot open"),
        ("model.file=c.yaml", "no model file of a known format"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(
    override: str, told: str, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=told):
        wired(tmp_path, override)


def test_a_file_of_other_shapes_is_refused_at_the_model(network: Network, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kernel is \(64, 12\) in the file, this data needs"):
        wired(tmp_path, "data={name: digit_scenes}")


def test_a_model_of_layers_does_not_wait_for_formats() -> None:
    code = "import sys, zerfoo_jax.experiment.train; print('zerfoo_jax.formats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout.strip() == "False"


def test_operators_may_stand_among_the_layers_of_a_config(tmp_path: Path) -> None:
    relu = "{type: Operator, op_type: Relu, operands: [x], results: [y], opsets: {'': 14}}"
    nodes = f"{{nodes: {{flat: Flatten, relu: {relu}, dense: {{type: Dense, features: 10}}}}}}"
    (tmp_path / "c.yaml").write_text(CONFIG.replace("{file: given/m.safetensors}", nodes))
    assert type(wired(tmp_path).model.children()["relu"]).__name__ == "Operator"
