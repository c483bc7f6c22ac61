"""A recurrent network that forecasts the next values of a series."""

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveInt, Probability
from zerfoo_jax.layers import LSTM, Dense, Dropout, Sequential


@checked
def lstm_forecaster(*, horizon: PositiveInt, features: PositiveInt = 64, dropout: Probability = 0.0) -> Sequential:
    """A window (batch, time, channels) to the next `horizon` values (batch, horizon).

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(lstm_forecaster(horizon=6), Spec((1, 36, 1), "float32")).shape
    (1, 6)
    """
    return Sequential((LSTM(features, return_sequences=False), Dropout(dropout), Dense(horizon)))
