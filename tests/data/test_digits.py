import numpy as np
import pytest

from zerfoo_jax.data.digits import digits


def test_the_pictures_are_those_of_the_repository():
    datasets = pytest.importorskip("sklearn.datasets")
    original = datasets.load_digits()
    data = digits(held_out=3)
    last = np.arange(1797) % 3 == 2
    for part, mask in ((data.train, ~last), (data.validation, last)):
        batch = part.batch(np.arange(len(part)))
        np.testing.assert_array_equal(batch["inputs"][..., 0] * 16, original.images[mask])
        np.testing.assert_array_equal(batch["targets"], original.target[mask])


def test_range_and_baseline():
    data = digits()
    batch = data.validation.batch(np.arange(len(data.validation)))
    assert batch["inputs"].shape == (359, 8, 8, 1) and batch["inputs"].min() == 0 and batch["inputs"].max() == 1
    train = data.train.batch(np.arange(len(data.train)))["targets"]
    commonest = max(range(10), key=lambda c: (train == c).sum())
    assert data.baselines["majority_accuracy"] == pytest.approx((batch["targets"] == commonest).mean())


def test_pictures_as_targets_are_the_inputs_and_the_baseline_is_the_mean_picture():
    data = digits(targets="picture")
    train, held = (part.batch(np.arange(len(part))) for part in (data.train, data.validation))
    np.testing.assert_array_equal(train["inputs"], train["targets"])
    error = np.sqrt(np.mean((held["targets"] - train["targets"].astype(np.float64).mean(0, keepdims=True)) ** 2))
    assert data.kind == "regression" and abs(data.baselines["mean_picture_rmse"] - error) < 1e-6
