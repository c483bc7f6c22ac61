"""Every member of `DATASETS` keeps the contract of a source; each one's own facts are in its own test file."""

import inspect
from pathlib import Path

import numpy as np
from PIL import Image
import pytest

from zerfoo_jax.core.fields import options
from zerfoo_jax.core.spec import bind
from zerfoo_jax.data import DATASETS, Dataset


def example(name: str, folder: Path) -> Dataset:
    """The named data set, on small files made in `folder`."""
    rng = np.random.default_rng(0)
    np.savez(folder / "a.npz", inputs=rng.normal(size=(23, 3)), targets=rng.integers(0, 4, 23))
    (folder / "t.csv").write_text("a,b,c\n" + "".join(f"{i},{i * i / 7},{'xy'[i % 2]}\n" for i in range(17)))
    rng.integers(0, 99, 700).astype("<u2").tofile(folder / "tokens.bin")
    (folder / "words.csv").write_text("text,label\n" + "".join(f"to be {i},{'no' if i % 3 else 'yes'}\n" for i in range(15)))
    (folder / "t.txt").write_text("to be or not to be " * 60)
    for i in range(12):
        (folder / "pictures" / f"class_{i % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8)).save(folder / f"pictures/class_{i % 2}/{i}.png")
    given = {
        "arrays": {"path": "a.npz"},
        "csv": {"path": "t.csv", "target": "c"},
        "digit_scenes": {"size": 17, "train_scenes": 20, "validation_scenes": 5},
        "images": {"path": "pictures", "size": 4},
        "labelled_text": {"path": "words.csv", "sequence_length": 4},
        "text": {"path": "t.txt", "sequence_length": 7},
        "tokens": {"path": "tokens.bin", "sequence_length": 7},
    }.get(name, {})
    if "path" in given:
        given["path"] = str(folder / given["path"])
    return bind(DATASETS, {"name": name, **given}, "data set")()


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_sources_keep_the_contract(name, tmp_path):
    data = example(name, tmp_path)
    again = example(name, tmp_path)
    for part, same in ((data.train, again.train), (data.validation, again.validation)):
        assert len(part) > 0 and part.fingerprint() == same.fingerprint() and len(part.fingerprint()) == 16
        last = len(part) - 1
        batch = part.batch(np.array([last, 0, last]))
        assert set(batch) == {"inputs", "targets"}
        for name_, rows in batch.items():
            assert len(rows) == 3 and rows.dtype in (np.float32, np.int32), (name_, rows.dtype)
            np.testing.assert_array_equal(rows[0], rows[2])
            np.testing.assert_array_equal(rows[1], part.batch(np.array([0]))[name_][0])
        if data.kind == "classification":
            ids = part.batch(np.arange(len(part)))["targets"]
            assert ids.min() >= 0 and ids.max() < len(data.classes)
    assert data.train.fingerprint() != data.validation.fingerprint()
    assert all(np.isfinite(value) for value in data.baselines.values())


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_option_is_annotated_and_described(name):
    function = DATASETS[name]
    assert set(options(function)) == set(inspect.signature(function).parameters)
    listed = inspect.getdoc(function).split("Options:")[1]
    assert all(f"    {option}: " in listed for option in options(function))
