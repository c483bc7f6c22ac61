import numpy as np
import pytest

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.arrays import arrays


def everything(part):
    return part.batch(np.arange(len(part)))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("names", [("inputs", "targets"), ("x", "y")])
def test_npz(save, names, tmp_path):
    x, y = np.random.default_rng(0).normal(size=(11, 2)).astype(np.float32), np.arange(11) % 3
    save(tmp_path / "a.npz", **dict(zip(names, (np.asfortranarray(x), y), strict=True)))
    data = arrays(path=str(tmp_path / "a.npz"), held_out=4)
    np.testing.assert_array_equal(everything(data.validation)["inputs"], x[[3, 7]])
    np.testing.assert_array_equal(everything(data.train)["targets"], np.delete(y, [3, 7]))
    assert (data.kind, data.classes) == ("classification", ("0", "1", "2"))


def test_npz_with_its_own_validation_part(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((3, 2)), y=np.zeros(3), validation_x=np.ones((2, 2)), validation_y=np.ones(2))
    data = arrays(path=str(tmp_path / "a.npz"))
    assert (len(data.train), len(data.validation), data.kind) == (3, 2, "regression")


def test_npy_pairs_are_mapped_whatever_their_order(tmp_path):
    x = np.asfortranarray(np.arange(60, dtype=np.uint8).reshape(10, 3, 2))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.linspace(0, 1, 10))
    data = arrays(path=str(tmp_path / "x.npy"), targets_path=str(tmp_path / "y.npy"))
    np.testing.assert_array_equal(everything(data.validation)["inputs"], x[[4, 9]])
    assert everything(data.train)["inputs"].dtype == np.uint8
    base = data.train.whole.inputs
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap) and not data.train.whole.inputs.flags.writeable


def test_integers_of_the_inputs_shape_are_language_and_kind_overrides(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((6, 4), int), y=np.ones((6, 4), int))
    assert arrays(path=str(tmp_path / "a.npz")).kind == "language"
    assert arrays(path=str(tmp_path / "a.npz"), kind="classification").classes == ("0", "1")


@pytest.mark.parametrize("y", [np.full(6, -1), np.full(6, 2**40)])
def test_class_ids_out_of_bounds(y, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((6, 4)), y=y)
    with pytest.raises(DataError, match="class ids"):
        arrays(path=str(tmp_path / "a.npz"))
