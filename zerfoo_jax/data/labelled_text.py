"""Sentences of named classes, as rows of word numbers: any table of texts and labels, or packaged reviews of films."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
import re
from typing import Annotated, Literal

from annotated_types import Ge
import numpy as np

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.data.baselines import majority_accuracy
from zerfoo_jax.data.rows import find_columns, number_classes, read_rows
from zerfoo_jax.data.source import ArraySource, Dataset
from zerfoo_jax.data.split import EveryKth, every_kth, held_rows

PADDING, UNKNOWN = 0, 1
_WORD = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
_MOVIE_REVIEWS = Path(__file__).parent / "packaged" / "movie_reviews.csv.xz"


def labelled_text(
    *,
    path: str | None = None,
    source: Literal["movie_reviews"] | None = None,
    text: str = "text",
    label: str = "label",
    sequence_length: PositiveInt = 64,
    vocab_size: Annotated[int, Ge(3)] = 8192,
    held_out: EveryKth = 5,
) -> Dataset:
    """Texts of named classes: inputs word numbers (sequence_length,) int32, targets class ids int32.

    Words and punctuation marks, in lower case, are numbered from 2 in the order of how often the training part has them; 1
    stands for any other word, 0 fills up short texts. Baseline on the validation part: always the commonest class.

    Options:
        path: a CSV file with a header row, in UTF-8.
        source: instead of a path, `movie_reviews`: 10,072 packaged sentences, negative or positive (packaged/ATTRIBUTION.md).
        text: the column of texts.
        label: the column of classes; its values, sorted, are the classes.
        sequence_length: words per example; longer texts are cut.
        vocab_size: how many numbers there are, those of filling and of unknown words included.
        held_out: every so-manieth row is for validation.

    Raises `DataError` with file and line for what is no table of texts and labels.
    """
    if (path is None) == (source is None):
        raise ConfigError("labelled_text needs either path or source", place="path", fix="add source: movie_reviews")
    texts, labels = _read(str(_MOVIE_REVIEWS), "text", "sentiment") if path is None else _read(path, text, label)
    ids, classes = number_classes(labels)
    held = held_rows(len(ids), held_out)
    words = [_WORD.findall(t.lower()) for t in texts]
    numbers = vocabulary((w for w, out in zip(words, held, strict=True) if not out), vocab_size)
    rows = np.full((len(words), sequence_length), PADDING, np.int32)
    for row, own in zip(rows, words, strict=True):
        known = [numbers.get(word, UNKNOWN) for word in own[:sequence_length]]
        row[: len(known)] = known
    parts = every_kth(ArraySource(rows, ids), held_out)
    return Dataset(*parts, "classification", classes, majority_accuracy(ids[~held], ids[held]) if held.any() else {})


def vocabulary(texts: Iterable[Sequence[str]], size: int) -> dict[str, int]:
    """The number of each of the commonest words, from 2 on; of equally common ones the first in the alphabet is first.

    >>> vocabulary([["b", "a"], ["b", "c"]], 4)
    {'b': 2, 'a': 3}
    """
    counts = Counter(word for words in texts for word in words)
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    return {word: number for number, word in enumerate(ordered[: size - 2], 2)}


def _read(path: str, text: str, label: str) -> tuple[list[str], list[str]]:
    rows = read_rows(path)
    _, header = next(rows)
    text_at, label_at = find_columns(header, (text, label), path)
    texts, labels = [], []
    for line, row in rows:
        if not row[label_at].strip():
            raise DataError("an empty cell in the label column", place=f"{path}:{line}:{label}")
        texts.append(row[text_at])
        labels.append(row[label_at].strip())
    if not labels:
        raise DataError("the table has no rows", place=path, fix="give a header row and rows below it")
    return texts, labels
