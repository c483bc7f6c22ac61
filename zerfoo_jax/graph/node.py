"""The node of a graph."""

from dataclasses import dataclass

from zerfoo_jax.core.fields import check_fields
from zerfoo_jax.core.layer import Layer


@dataclass(frozen=True)
class Node:
    """A layer with a name, fed by graph inputs or other nodes."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]

    def __post_init__(self) -> None:
        check_fields(self)
