"""Data: files and packaged sets -> sources of examples -> batches on the device. Adding a set: its file, and a line here."""

from collections.abc import Callable

from zerfoo_jax.data.arrays import arrays
from zerfoo_jax.data.digit_scenes import digit_scenes
from zerfoo_jax.data.digits import digits
from zerfoo_jax.data.images import images
from zerfoo_jax.data.labelled_text import labelled_text
from zerfoo_jax.data.loader import Loaded as Loaded
from zerfoo_jax.data.loader import Loader as Loader
from zerfoo_jax.data.loader import to_device as to_device
from zerfoo_jax.data.series import series
from zerfoo_jax.data.source import ArraySource as ArraySource
from zerfoo_jax.data.source import Dataset as Dataset
from zerfoo_jax.data.source import Source as Source
from zerfoo_jax.data.sweep import sweep as sweep
from zerfoo_jax.data.table import csv
from zerfoo_jax.data.text import text
from zerfoo_jax.data.tokens import TokenSource as TokenSource
from zerfoo_jax.data.tokens import tokens

DATASETS: dict[str, Callable[..., Dataset]] = {
    "arrays": arrays,
    "csv": csv,
    "digit_scenes": digit_scenes,
    "digits": digits,
    "images": images,
    "labelled_text": labelled_text,
    "series": series,
    "text": text,
    "tokens": tokens,
}
