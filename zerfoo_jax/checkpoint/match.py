"""Whether a stored checkpoint fits the state it is loaded into, and a readable difference where it does not."""

from collections.abc import Sequence
from typing import Any

from zerfoo_jax.checkpoint.leaves import describe
from zerfoo_jax.checkpoint.manifest import LeafRecord
from zerfoo_jax.core.errors import CheckpointError

MOST_LINES = 10
"""Differences that one error shows."""


def expect_match(step: int, stored: Sequence[LeafRecord], wanted: dict[str, Any]) -> None:
    """Raises `CheckpointError` listing the leaves (by path) whose presence, shape or dtype differ from `wanted`."""
    found = {leaf.path: (leaf.dtype, leaf.shape) for leaf in stored}
    asked = {path: describe(leaf, path) for path, leaf in wanted.items()}
    lines = [_difference(path, found.get(path), asked.get(path)) for path in sorted(found.keys() | asked.keys())]
    lines = [line for line in lines if line]
    if not lines:
        return
    more = [f"  and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    raise CheckpointError(
        "\n".join([f"checkpoint {step} does not fit the state it is loaded into:", *lines[:MOST_LINES], *more]),
        fix="was the model, its depth or the optimizer changed? restore with the old config, or start a new run",
    )


def _difference(path: str, stored: Any, wanted: Any) -> str:
    name = path or "(the whole tree)"
    if stored is None:
        return f"  missing: {name}, wanted as {_text(wanted)}"
    if wanted is None:
        return f"  unexpected: {name}, stored as {_text(stored)}"
    if stored[1] != wanted[1]:
        return f"  different shape: {name}, stored as {_text(stored)}, wanted as {_text(wanted)}"
    if stored[0] != wanted[0]:
        return f"  different dtype: {name}, stored as {_text(stored)}, wanted as {_text(wanted)}"
    return ""


def _text(described: tuple[str, tuple[int, ...]]) -> str:
    dtype, shape = described
    return f"{dtype}[{', '.join(map(str, shape))}]"
