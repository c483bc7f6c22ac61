"""Using a trained run: classes for images, values for series, text after a prompt."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.core.types import Array
from zerfoo_jax.data.npy import map_npy
from zerfoo_jax.experiment.trained import Trained
from zerfoo_jax.inference import generate
from zerfoo_jax.numeric import policy
from zerfoo_jax.training.gradients import Objective

BYTE_VOCABULARY = 256


def read_inputs(path: Path, trained: Trained) -> np.ndarray:
    """The rows of a .npy file, checked against the inputs the model was trained on; one row may come without the batch axis."""
    array = map_npy(str(path))
    wanted = trained.wired.input_spec
    if array.shape == wanted.shape[1:]:
        array = array[None]
    if array.shape[1:] != wanted.shape[1:]:
        raise DataError(
            f"{str(path)!r} has shape {array.shape}, the model takes (examples, {', '.join(map(str, wanted.shape[1:]))})",
            fix="prepare the inputs as for training",
        )
    if not len(array) or not np.isfinite(array).all():
        raise DataError(f"{str(path)!r} holds no rows, or numbers that are not finite", fix="leave such rows out")
    return array.astype(wanted.dtype)


def outputs_of(trained: Trained, inputs: np.ndarray) -> np.ndarray:
    """The model's outputs for rows of inputs, with the averaged parameters where the run has them."""
    wired = trained.wired
    objective = Objective(wired.model, wired.loss, {}, policy(wired.config.train.precision))

    @jax.jit
    def run(batch: dict[str, Array]) -> Array:
        return objective.run(trained.state.best_params, trained.state.state, batch, None, train=False)[0]

    return np.asarray(run({"inputs": jax.numpy.asarray(inputs)}))


def save_outputs(path: Path, trained: Trained, inputs: np.ndarray) -> None:
    """Writes the outputs for rows of inputs to a .npy file, as the model gives them: logits, or normalised values."""
    if path.suffix != ".npy":
        raise ConfigError(f"--output {str(path)!r}: should end in .npy", fix=f"--output {path.with_suffix('.npy')}")
    outputs = outputs_of(trained, inputs)
    try:
        with path.open("wb") as file:
            np.save(file, outputs, allow_pickle=False)
    except OSError as error:
        raise DataError(
            f"cannot write: {error.strerror}", place=str(path), fix="name a file in a folder that exists"
        ) from error


def predictions(
    trained: Trained, inputs: np.ndarray, truth: np.ndarray | None = None, first: int = 0
) -> Iterator[dict[str, Any]]:
    """One record per row: class and probability (of images with a class per pixel, each class's share), or forecast values in
    the data's own unit (of images their range, and their distance from the truth); and the truth where it is known.

    Rows are numbered from `first`.
    """
    dataset = trained.wired.dataset
    outputs = outputs_of(trained, inputs)

    def in_unit(values: np.ndarray) -> list[float]:
        return [round(float(v) * dataset.scale + dataset.offset, 4) for v in np.ravel(values)]

    for i, row in enumerate(outputs):
        if dataset.kind == "classification" and row.ndim > 1:
            record = {"classes": _shares(dataset.classes, row.argmax(-1))}
            actual = None if truth is None else _shares(dataset.classes, truth[i])
        elif dataset.kind == "classification":
            probabilities = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
            best = int(probabilities.argmax())
            record = {"class": _class(dataset.classes, best), "probability": round(float(probabilities[best]), 4)}
            actual = None if truth is None else _class(dataset.classes, int(truth[i]))
        elif row.ndim > 1:
            record = {"mean": in_unit(row.mean())[0], "min": in_unit(row.min())[0], "max": in_unit(row.max())[0]}
            if truth is not None and truth[i].shape == row.shape:
                record["rmse"] = round(float(np.sqrt(np.mean((row - truth[i]) ** 2))) * dataset.scale, 4)
            actual = None
        else:
            record = {"values": in_unit(row)}
            actual = None if truth is None else in_unit(truth[i])
        yield {"example": first + i, **record, **({} if actual is None else {"truth": actual})}


def _shares(classes: tuple[str, ...], ids: np.ndarray) -> dict[str, float]:
    """Which part of the places is of each class, the largest first."""
    found, counts = np.unique(ids, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {_class(classes, int(found[i])): round(float(counts[i] / ids.size), 4) for i in order}


def _class(classes: tuple[str, ...], index: int) -> str:
    return classes[index] if index < len(classes) else str(index)


def validation_rows(trained: Trained, count: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Inputs and truth of the last `count` examples of the validation part, and the number of the first of them."""
    source = trained.wired.dataset.validation
    first = max(0, len(source) - count)
    batch = source.batch(np.arange(first, len(source)))
    return batch["inputs"], batch["targets"], first


def continue_text(trained: Trained, prompt: str, count: int, temperature: float, seed: int) -> str:
    """`count` bytes that a byte-level language model writes behind a prompt; bytes that are no UTF-8 show as the usual mark."""
    wired = trained.wired
    if wired.walk.visits[-1].output.shape[-1] != BYTE_VOCABULARY:
        raise ConfigError("only models of byte tokens can continue a text", fix="train on `data: {name: text}`")
    tokens = np.frombuffer(prompt.encode(), np.uint8)
    if not tokens.size:
        raise ConfigError("prompt = '': should not be empty", fix='give --prompt "some text"')
    drawn = generate(
        wired.model,
        trained.state.best_params,
        trained.state.state,
        jax.numpy.asarray(tokens),
        count,
        jax.random.key(seed),
        context=wired.input_spec.shape[1],
        temperature=temperature,
    )
    return bytes(np.asarray(drawn, np.uint8)).decode("utf-8", errors="replace")
