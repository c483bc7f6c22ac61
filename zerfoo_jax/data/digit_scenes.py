"""Scenes of handwritten digits with the digit that every pixel belongs to: a small data set for segmentation."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
import numpy as np

from zerfoo_jax.core.fields import NonNegativeInt, PositiveInt
from zerfoo_jax.data.digits import load_digits
from zerfoo_jax.data.fingerprint import fingerprint_of
from zerfoo_jax.data.source import Dataset

BACKGROUND = 10
_INK = 0.25
"""A pixel of at least this darkness belongs to its digit."""


def digit_scenes(
    *,
    size: Annotated[int, Ge(16)] = 32,
    digits_per_scene: PositiveInt = 4,
    train_scenes: PositiveInt = 4000,
    validation_scenes: PositiveInt = 500,
    seed: NonNegativeInt = 0,
) -> Dataset:
    """Pictures of several real digits (see `digits`), twice enlarged, at random places: inputs (size, size, 1) float32 in 0..1,
    targets (size, size) int32, the digit 0..9 whose ink is darkest at a pixel, 10 where there is none.

    The scenes for validation are made of other pictures of digits than those for training.
    Baseline: the accuracy of taking every pixel for background.

    Options:
        size: height and width of a scene.
        digits_per_scene: how many are put into it; they may overlap.
        train_scenes: how many different scenes there are to train on.
        validation_scenes: how many there are for validation.
        seed: of the places and choices.
    """
    pictures, labels = load_digits()
    cut = len(labels) * 4 // 5
    train = SceneSource(pictures[:cut], labels[:cut], size, digits_per_scene, train_scenes, 2 * seed)
    validation = SceneSource(pictures[cut:], labels[cut:], size, digits_per_scene, validation_scenes, 2 * seed + 1)
    masks = validation.batch(np.arange(min(validation_scenes, 200)))["targets"]
    baselines = {"background_accuracy": float(np.mean(masks == BACKGROUND))}
    return Dataset(train, validation, "classification", (*"0123456789", "background"), baselines)


@dataclass(frozen=True, eq=False)
class SceneSource:
    """Scenes made when a batch asks for them, each from its own number and the seed."""

    pictures: np.ndarray
    labels: np.ndarray
    size: int
    digits_per_scene: int
    count: int
    seed: int

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        scenes = [self._scene(int(i)) for i in indices]
        inputs = np.array([scene for scene, _ in scenes], np.float32).reshape(-1, self.size, self.size, 1)
        targets = np.array([mask for _, mask in scenes], np.int32).reshape(-1, self.size, self.size)
        return {"inputs": inputs, "targets": targets}

    def _scene(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, index))
        scene = np.zeros((self.size, self.size), np.float32)
        mask = np.full((self.size, self.size), BACKGROUND, np.int32)
        for choice in rng.integers(0, len(self.labels), self.digits_per_scene):
            digit = self.pictures[choice, :, :, 0].repeat(2, 0).repeat(2, 1)
            top, left = rng.integers(0, self.size - len(digit) + 1, 2)
            there = np.s_[top : top + len(digit), left : left + len(digit)]
            darker = (digit >= _INK) & (digit > scene[there])
            mask[there] = np.where(darker, self.labels[choice], mask[there])
            scene[there] = np.maximum(scene[there], digit)
        return scene, mask

    def fingerprint(self) -> str:
        numbers = f"{self.size} {self.digits_per_scene} {self.count} {self.seed}"
        return fingerprint_of(self.pictures, self.labels, numbers)
