"""go-metal's checkpoints: its own file, and ones made here beside torch, which has images and weights in the same order."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from zerfoo_jax.core.layer import abstract
from zerfoo_jax.formats import detect, go_metal, load, summarize

DEMO = Path(__file__).parents[1] / "data" / "go_metal" / "demo_model.json"


def test_its_own_file():
    assert detect(DEMO).name == "go_metal"
    given = json.loads(DEMO.read_text())
    checkpoint = go_metal.read_checkpoint(DEMO)
    assert checkpoint.training_state == given["training_state"]
    assert checkpoint.metadata["tags"] == ["demo", "mnist", "leaky-relu"]
    assert (checkpoint.optimizer, dict(checkpoint.optimizer_state)) == ("", {})
    arrays = {w["name"]: np.float32(w["data"]).reshape(w["shape"]) for w in given["weights"]}
    # Its first weight is for rows of 28 numbers, whatever its layer says.
    x = np.random.default_rng(0).standard_normal((2, 1, 28, 28)).astype(np.float32)
    hidden = np.maximum(x @ arrays["hidden1.weight"] + arrays["hidden1.bias"], 0)
    hidden = hidden @ arrays["hidden2.weight"] + arrays["hidden2.bias"]
    hidden = np.where(hidden > 0, hidden, np.float32(0.01) * hidden)
    want = hidden @ arrays["output.weight"] + arrays["output.bias"]
    np.testing.assert_allclose(np.asarray(load(DEMO)(x)), want, rtol=1e-5, atol=np.abs(want).max() * 1e-6)
    summary = summarize(DEMO)
    assert [(node.name, node.kind) for node in summary.nodes][3] == ("leaky_relu1", "LeakyReLU")
    assert summary.facts["epoch"] == 25 and len(summary.tensors) == 6


LAYERS = [
    (1, "conv", {"output_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1, "use_bias": True}),
    (6, "norm", {"num_features": 4, "eps": 1e-3, "momentum": 0.1, "affine": True, "track_running_stats": True}),
    (8, "elu", {"alpha": 0.7}),
    (4, "pool", {"pool_size": 2, "stride": 1}),
    (1, "again", {"output_channels": 3, "kernel_size": 2, "stride": 1, "padding": 0, "use_bias": False}),
    (3, "channels", {"axis": 1}),
    (11, "swish", {}),
    (5, "drop", {"rate": 0.4, "training": True}),
    (0, "dense", {"output_size": 5, "use_bias": True}),
    (6, "rows", {"num_features": 5, "affine": False}),
    (10, "tanh", {}),
    (0, "out", {"output_size": 3, "use_bias": False}),
    (9, "sigmoid", {}),
    (7, "leaky", {"negative_slope": 0.2}),
    (2, "relu", {}),
    (3, "softmax", {"axis": -1}),
]


def torch_model(torch):
    nn = torch.nn
    layers = [
        nn.Conv2d(2, 4, 3, 2, 1),
        nn.BatchNorm2d(4, eps=1e-3),
        nn.ELU(0.7),
        nn.MaxPool2d(2, 1),
        nn.Conv2d(4, 3, 2, bias=False),
        nn.Softmax(1),
        nn.SiLU(),
        nn.Dropout(0.4),
        nn.Sequential(nn.Flatten(), nn.Linear(6, 5)),
        nn.BatchNorm1d(5, affine=False),
        nn.Tanh(),
        nn.Linear(5, 3, bias=False),
        nn.Sigmoid(),
        nn.LeakyReLU(0.2),
        nn.ReLU(),
        nn.Softmax(-1),
    ]
    return nn.Sequential(*layers)


def checkpoint_of(torch, model, statistics_beside: bool) -> dict:
    layers, weights = [], []
    for (kind, name, parameters), module in zip(LAYERS, model, strict=True):
        layer = {"type": kind, "name": name, "parameters": parameters}
        module = module[1] if isinstance(module, torch.nn.Sequential) else module
        for part, value in module.state_dict().items():
            array = value.numpy()
            if part.startswith("running") and not statistics_beside:
                layer.setdefault("running_statistics", {})[part] = array.tolist()
            elif part != "num_batches_tracked":
                array = array.T if kind == 0 and array.ndim == 2 else array
                own = {"layer": name, "type": part, "shape": list(array.shape), "data": array.ravel().tolist()}
                weights.append({"name": f"{name}.{part}"} | own)
        layers.append(layer)
    moment = {"name": "m.0", "shape": [2], "data": [0.5, 0.25], "state_type": "momentum"}
    return {
        "model_spec": {"layers": layers, "input_shape": [4, 2, 6, 7], "compiled": True},
        "weights": weights,
        "training_state": {"epoch": 3},
        "optimizer_state": {"type": "Adam", "parameters": {"beta1": 0.9}, "state_data": [moment]},
        "metadata": {"framework": "go-metal"},
    }


@pytest.mark.oracle
@pytest.mark.parametrize("statistics_beside", [False, True])
def test_agrees_with_torch(torch, statistics_beside):
    torch.manual_seed(0)
    model = torch_model(torch)
    for module in (model[1], model[9]):
        module.running_mean.normal_()
        module.running_var.uniform_(0.5, 2)
    torch.nn.init.normal_(model[1].weight)
    torch.nn.init.normal_(model[1].bias)
    x = torch.randn(5, 2, 6, 7)
    with torch.no_grad():
        want = model.eval()(x).numpy()
    checkpoint = go_metal.from_text(json.dumps(checkpoint_of(torch, model, statistics_beside)))
    network = checkpoint.network
    y, _ = jax.jit(network.model.apply)(network.params, network.state, x.numpy())
    np.testing.assert_allclose(np.asarray(y), want, rtol=1e-5, atol=1e-6)
    assert network.specs[0].shape == (4, 2, 6, 7)
    initial = jax.eval_shape(network.model.init, jax.random.key(0), *network.specs)
    assert abstract(initial) == abstract((network.params, network.state))
    assert (checkpoint.optimizer, checkpoint.optimizer_parameters) == ("Adam", {"beta1": 0.9})
    assert checkpoint.optimizer_state["m.0"].tolist() == [0.5, 0.25]
