"""What the nodes of a graph give, computed one by one while it is being written."""

from collections.abc import Sequence
from typing import Any

from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Built, Layer, Walk
from zerfoo_jax.core.types import Array, Tree


class Values:
    """Runs nodes at once, with the parameters that `init(key, ...)` of the finished graph gives them."""

    def __init__(self, key: Array):
        self.params: dict[str, Any] = {}
        self.state: dict[str, Any] = {}
        self._key = key
        self._first: dict[str, Built] = {}

    def of(self, name: str, layer: Layer, owner: str, xs: Sequence[Array]) -> Tree:
        """The output of a node, whose parameters are those of the node `owner`; raises with the node's name."""
        built = Walk().visit(layer, name, fold_in_name(self._key, owner), *xs, shared=self._first.get(owner))
        if owner not in self._first:
            self._first[owner] = built
            self.params.update({owner: built[0]} if built[0] else {})
            self.state.update({owner: built[1]} if built[1] else {})
        return layer.apply(self.params.get(owner, {}), self.state.get(owner, {}), *xs)[0]
