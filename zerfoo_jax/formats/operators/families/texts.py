"""Arrays of texts, which are always known. Matching against patterns is left out: a hostile one can run for ever."""

from collections.abc import Sequence
from typing import Any
import unicodedata

import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.formats.operators.known import Known


def StringConcat(X: Known, Y: Known) -> Any:
    """X followed by Y, element by element, with NumPy's broadcasting."""
    return np.add(X.astype(object), Y.astype(object))


def StringSplit(X: Known, *, delimiter: str | None = None, maxsplit: int | None = None) -> tuple[Any, Any]:
    """The parts of each text between delimiters (white space unless said), on a new last axis; and how many there are.

    Rows with fewer parts than the longest are filled with empty texts.
    """
    parts = [str(text).split(delimiter or None, -1 if maxsplit is None else maxsplit) for text in X.reshape(-1)]
    counts = np.array([len(part) for part in parts], np.int64)
    longest = int(counts.max(initial=0))
    filled = np.full((len(parts), longest), "", object)
    for row, part in zip(filled, parts, strict=True):
        row[: len(part)] = part
    return filled.reshape((*X.shape, longest)), counts.reshape(X.shape)


def StringNormalizer(
    X: Known,
    *,
    case_change_action: str = "NONE",
    is_case_sensitive: int = 0,
    locale: str = "",
    stopwords: Sequence[str] = (),
) -> Any:
    """A row of texts (n) or (1, n) without stop words, in upper or lower case; one empty text if nothing is left.

    Accents are taken off. The locale is not looked at: case follows Unicode.
    """
    if X.ndim not in (1, 2) or (X.ndim == 2 and len(X) != 1):
        raise ShapeError(f"StringNormalizer takes one row of texts, got shape {X.shape}")
    if case_change_action not in _CASES:
        raise FormatError(f"StringNormalizer changes case by {', '.join(_CASES)}, not {case_change_action!r}")
    change = _CASES[case_change_action]
    compare = str if is_case_sensitive else str.lower
    stopped = {compare(word) for word in stopwords}
    kept = [change(_plain(text)) for text in X.reshape(-1) if compare(text) not in stopped] or [""]
    return np.array(kept, object).reshape((*X.shape[:-1], len(kept)))


_CASES = {"NONE": str, "LOWER": str.lower, "UPPER": str.upper}


def _plain(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
