"""What the docstring of a class or function says, piece by piece."""

from collections.abc import Callable
import inspect
import re
from typing import Any


def summary(member: Callable[..., Any]) -> str:
    """The first sentence, which may run over several lines.

    >>> summary(summary)
    'The first sentence, which may run over several lines.'
    """
    return " ".join((inspect.getdoc(member) or "").split("\n\n")[0].split())


def about(member: Callable[..., Any], option: str) -> str:
    """The first sentence that names an option in backticks; empty where none does.

    >>> from zerfoo_jax.layers import LoRA
    >>> about(LoRA, "dropout").split(" in training")[0]
    '`dropout` acts'
    """
    text, _, _ = (inspect.getdoc(member) or "").partition(">>>")
    blocks = (" ".join(block.split()) for block in text.split("\n\n"))
    sentences = (sentence for block in blocks for sentence in re.split(r"(?<=(?<!e\.g)[.;])\s+", block))
    return next((sentence.rstrip(";") for sentence in sentences if f"`{option}`" in sentence), "")
