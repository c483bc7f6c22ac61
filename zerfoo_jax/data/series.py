"""Forecasting a packaged monthly series: sea-surface temperatures of the eastern Pacific, where El Niño shows."""

import numpy as np

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.data.digits import PACKAGED
from zerfoo_jax.data.npy import map_npy
from zerfoo_jax.data.source import ArraySource, Dataset
from zerfoo_jax.data.split import OpenFraction

_PERIOD = 12


def series(*, window: PositiveInt = 36, horizon: PositiveInt = 6, validation_fraction: OpenFraction = 0.2) -> Dataset:
    """Windows of months -> the months that follow: inputs (window, 1), targets (horizon,), float32, 732 months in all.

    Values are normalised by the mean and standard deviation of the training months; times `Dataset.scale`, plus
    `Dataset.offset`, they are in °C.
    Validation targets are the last months; no training window reaches into them. Baselines on the validation part, in °C:
    repeating the last value, and repeating the value of the same month of the last year known.

    Options:
        window: months seen.
        horizon: months to predict.
        validation_fraction: the part of the months, the last ones, whose prediction is validated.

    >>> data = series()
    >>> {name: round(value, 2) for name, value in data.baselines.items()}
    {'last_value_rmse_celsius': 3.17, 'seasonal_naive_rmse_celsius': 1.32}
    """
    months = map_npy(str(PACKAGED / "nino12_sst.npy")).astype(np.float64)
    split = round(len(months) * (1 - validation_fraction))
    # A multiple of the period before the first validation target must exist too, for the seasonal baseline.
    needed = max(window + horizon, horizon + _PERIOD)
    if split < needed or len(months) - split < horizon:
        raise DataError(
            f"too few months for window {window}, horizon {horizon}, validation_fraction {validation_fraction}",
            place="series",
            fix="shorten window or horizon, or move validation_fraction towards 0.2",
        )
    mean, std = months[:split].mean(), months[:split].std()
    # The first target of each example; the training part's last one ends where the validation targets begin.
    first_train, first_validation = np.arange(window, split - horizon + 1), np.arange(split, len(months) - horizon + 1)
    values = ((months - mean) / std).astype(np.float32)
    train, validation = (_examples(values, first, window, horizon) for first in (first_train, first_validation))
    baselines = _baselines(months, first_validation, horizon)
    return Dataset(train, validation, "regression", baselines=baselines, scale=float(std), offset=float(mean))


def _examples(values: np.ndarray, first: np.ndarray, window: int, horizon: int) -> ArraySource:
    return ArraySource(values[first[:, None] + np.arange(-window, 0)][..., None], values[first[:, None] + np.arange(horizon)])


def _baselines(values: np.ndarray, first: np.ndarray, horizon: int) -> dict[str, float]:
    ahead = np.arange(horizon)
    at = first[:, None] + ahead
    years_back = ahead // _PERIOD + 1
    guesses = {"last_value": values[first - 1][:, None], "seasonal_naive": values[at - _PERIOD * years_back]}
    return {f"{name}_rmse_celsius": float(np.sqrt(np.mean((values[at] - guess) ** 2))) for name, guess in guesses.items()}
