"""Models whose outputs are images: what `predict` says and what `plot` draws."""

import numpy as np
import pytest
import yaml

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.experiment.pictures import panels_of_images
from zerfoo_jax.experiment.predict import outputs_of, predictions, save_outputs, validation_rows
from zerfoo_jax.experiment.trained import open_run

SCENES = {"name": "digit_scenes", "size": 16, "digits_per_scene": 1, "train_scenes": 20, "validation_scenes": 9}
PICTURES = {"name": "digits", "targets": "picture", "held_out": 100}


@pytest.fixture(scope="module", params=[(SCENES, 11, "cross_entropy"), (PICTURES, 1, "mse")], ids=["classes", "values"])
def trained(request, tmp_path_factory):
    from zerfoo_jax import load_config, train

    data, features, loss = request.param
    folder = tmp_path_factory.mktemp("images")
    config = {
        "config_version": 1,
        "name": "tiny",
        "model": {"type": "Conv2D", "features": features, "kernel_size": 3},
        "data": data,
        "loss": loss,
        "optimizer": {"name": "sgd"},
        "train": {"steps": 2, "batch_size": 4},
        "logging": {"tensorboard": False},
        "runtime": {"compilation_cache": False},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    train(*load_config(folder / "tiny.yaml"), run=folder / "run")
    return open_run(folder / "run")


def test_panels_hold_what_went_in_and_what_came_out(trained):
    inputs, targets, _ = validation_rows(trained, 8)
    outputs, panels = outputs_of(trained, inputs), dict(panels_of_images(trained))
    np.testing.assert_array_equal(panels.pop("input"), inputs)
    if trained.wired.dataset.kind == "classification":
        np.testing.assert_array_equal(panels.pop("truth"), targets)
        np.testing.assert_array_equal(panels.pop("predicted"), outputs.argmax(-1))
    else:
        np.testing.assert_array_equal(panels.pop("output"), outputs)
    assert not panels


def test_predictions_are_shares_of_classes_or_ranges_and_distances(trained):
    inputs, targets, _ = validation_rows(trained, 2)
    outputs = outputs_of(trained, inputs)
    for record, row, truth in zip(predictions(trained, inputs, targets), outputs, targets, strict=True):
        if trained.wired.dataset.kind == "classification":
            ids = row.argmax(-1)
            names = [*"0123456789", "background"]
            assert record["classes"] == {names[i]: round(float(np.mean(ids == i)), 4) for i in range(11) if (ids == i).any()}
            assert list(record["truth"]) == sorted(record["truth"], key=record["truth"].get, reverse=True)
        else:
            assert record["max"] == round(float(row.max()), 4)
            assert record["rmse"] == pytest.approx(np.sqrt(np.mean((row - truth) ** 2)), abs=1e-4)


def test_outputs_can_be_saved(trained, tmp_path):
    inputs, _, _ = validation_rows(trained, 3)
    save_outputs(tmp_path / "out.npy", trained, inputs)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), outputs_of(trained, inputs))
    with pytest.raises(ConfigError, match=r"should end in \.npy"):
        save_outputs(tmp_path / "out.txt", trained, inputs)
    with pytest.raises(DataError, match="cannot write"):
        save_outputs(tmp_path / "missing" / "out.npy", trained, inputs)
