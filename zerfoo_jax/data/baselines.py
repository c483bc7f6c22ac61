"""What simple predictors score: the numbers that a trained model must beat."""

from collections.abc import Mapping

import numpy as np


def majority_accuracy(train: np.ndarray, validation: np.ndarray) -> Mapping[str, float]:
    """The share of validation class ids (n,) that equal the commonest training class.

    >>> majority_accuracy(np.array([0, 1, 1]), np.array([1, 0, 0, 0]))
    {'majority_accuracy': 0.25}
    """
    return {"majority_accuracy": float(np.mean(validation == np.bincount(train).argmax()))}


def mean_rmse(train: np.ndarray, validation: np.ndarray) -> Mapping[str, float]:
    """The root mean squared error on the validation values of always predicting the training mean."""
    return {"mean_rmse": float(np.sqrt(np.mean((validation - train.mean()) ** 2)))}


def unigram_entropies(train: np.ndarray, validation: np.ndarray, vocab_size: int) -> Mapping[str, float]:
    """Bits per token that knowing only how frequent each token is costs on the validation tokens.

    `unigram_entropy_bits` knows the validation part's own frequencies, the strictest such baseline;
    `train_unigram_cross_entropy_bits` knows the training part's, with one added to every count.
    """
    own = np.bincount(validation, minlength=vocab_size) / max(1, len(validation))
    counted = np.bincount(train, minlength=vocab_size) + 1.0
    seen = own > 0
    return {
        "unigram_entropy_bits": float(-np.sum(own[seen] * np.log2(own[seen]))),
        "train_unigram_cross_entropy_bits": float(-np.sum(own * np.log2(counted / counted.sum()))),
    }
