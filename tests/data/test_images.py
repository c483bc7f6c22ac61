import builtins

import numpy as np
from PIL import Image
import pytest

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.images import images


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def test_pictures_and_classes(tmp_path):
    for i in range(4):
        save(tmp_path / "dog" / f"{i}.png", np.full((4, 4, 3), (10 * i, 100, 255)))
        save(tmp_path / "cat" / f"{i}.png", np.full((6, 2), 50))
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    data = images(path=str(tmp_path), size=4, held_out=4)
    assert data.classes == ("cat", "dog") and (len(data.train), len(data.validation)) == (6, 2)
    batch = data.validation.batch(np.arange(2))
    assert batch["inputs"].shape == (2, 4, 4, 3) and batch["targets"].tolist() == [0, 1]
    np.testing.assert_allclose(batch["inputs"][0], 50 / 255, rtol=1e-6)
    np.testing.assert_allclose(batch["inputs"][1, 0, 0], [30 / 255, 100 / 255, 1], rtol=1e-6)


def test_grey(tmp_path):
    picture = np.arange(12).reshape(3, 4) * 20
    save(tmp_path / "one" / "a.png", picture)
    save(tmp_path / "one" / "b.png", picture)
    inputs = images(path=str(tmp_path), size=3, channels=1, held_out=2).train.batch(np.array([0]))["inputs"]
    assert inputs.shape == (1, 3, 3, 1)


def test_without_pillow_the_way_out_is_named(tmp_path, monkeypatch):
    real = builtins.__import__

    def fake(name, *args, **kwargs):
        if name == "PIL":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fake)
    with pytest.raises(DataError, match=r"pip install 'zerfoo-jax\[images\]'"):
        images(path=str(tmp_path), size=3)
