"""Where a layer stands in a model: its path, its variables, and the model with another layer there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
import re
from typing import Any

from zerfoo_jax.core.errors import ConfigError, GraphError, Problem, join_path, nearest
from zerfoo_jax.core.layer import MODEL, Composite, Layer
from zerfoo_jax.core.parts import parts, with_part
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.places import HOLDERS
from zerfoo_jax.layers import Frozen, LoRA, Stack

Names = tuple[str, ...]


@dataclass(frozen=True)
class _Marker(Layer):
    """Stands in a field to find out which children the field is."""


_MARKER = _Marker()


@dataclass(frozen=True)
class Place:
    """A layer of a model and the ways to its parameters and state in the model's variables, `{params: ..., state: ...}`."""

    names: Names
    layer: Layer
    params: Names = ("params",)
    state: Names = ("state",)

    @property
    def path(self) -> str:
        """The names joined by `/`, as in error messages."""
        return "/".join(self.names)

    def child(self, name: str) -> "Place":
        """The place of a part of the layer."""
        names, part = (*self.names, name), children(self.layer)[name]
        if isinstance(self.layer, Stack):
            return Place(names, part, self.params, self.state)
        if isinstance(self.layer, Frozen | LoRA):
            return Place(names, part, (*self.state, "params"), (*self.state, "state"))
        return Place(names, part, (*self.params, name), (*self.state, name))


def children(layer: Layer) -> Mapping[str, Layer]:
    """The parts that paths reach, by name: nodes, children, and the layer within a `Stack`, `Frozen` or `LoRA`."""
    holder = HOLDERS.get(type(layer))
    if holder:
        return {holder: getattr(layer, holder)}
    if isinstance(layer, Graph):
        return {node.name: node.layer for node in layer.nodes}
    return layer.children() if isinstance(layer, Composite) else {}


def counterpart(model: Layer, changed: Layer, names: Names) -> Names:
    """The path, in a model with another layer there, of what stands where that path leads; only names may differ."""
    found: list[str] = []
    for name in names:
        position = list(children(model)).index(name)
        model, (own, changed) = children(model)[name], list(children(changed).items())[position]
        found.append(own)
    return tuple(found)


def split_path(path: str) -> Names:
    """The names of a path. `block[12]`, as tables of layers show a `Stack`'s block, is `block`.

    >>> split_path("stack_0/block[12]/attention"), split_path("")
    (('stack_0', 'block', 'attention'), ())
    """
    return tuple(re.sub(r"^block\[\d+\]$", "block", name) for name in path.split("/")) if path else ()


def trail(model: Layer, names: Names) -> list[Place]:
    """The places from the model to the layer of that path; raises `GraphError` where there is none."""
    places = [Place((), model)]
    for name in names:
        known = children(places[-1].layer)
        if name not in known:
            inside = places[-1].path
            where = f"the {type(places[-1].layer).__name__} at {inside or MODEL}"
            fix = nearest(name, known) if known else f"{where} has no parts that can be edited: replace it as a whole"
            raise GraphError(f"{where} has no part {name!r}", place=join_path(inside, name), fix=fix)
        places.append(places[-1].child(name))
    return places


def everywhere(place: Place, closed: tuple[type[Layer], ...] = ()) -> Iterator[Place]:
    """The place and all places within it, but for those within `closed` layers; each before those within it."""
    yield place
    for name in () if isinstance(place.layer, closed) else children(place.layer):
        yield from everywhere(place.child(name), closed)


def with_child(layer: Layer, name: str, part: Layer) -> Layer:
    """The layer with another part under that name; raises `GraphError` where no field holds that part alone.

    >>> from zerfoo_jax.layers import Dense, Parallel
    >>> with_child(Parallel((Dense(2), Dense(2))), "branch_1", Dense(3)).branches[1].features
    3
    """
    holder: Any = layer
    if type(layer) in HOLDERS:
        return replace(holder, **{name: part})
    if isinstance(layer, Graph):
        return replace(layer, nodes=tuple(replace(n, layer=part) if n.name == name else n for n in layer.nodes))
    index, fellows = _field_of(holder, name)
    if index is None or fellows != [name]:
        shared = (
            f"is one with {', '.join(fellows)} in its fields" if index is not None else "is made by it, and no field of its"
        )
        kind = type(layer).__name__
        raise GraphError([Problem(f"part {name!r} of {kind} {shared}", name, f"name the {kind} as a whole")])
    return with_part(layer, index, part)


def _field_of(layer: Composite, name: str) -> tuple[int | None, list[str]]:
    """Which of the layer's `parts` the child is, and all children that are this part; found by trying."""
    names = list(layer.children())
    for index in range(len(parts(layer))):
        try:
            tried = with_part(layer, index, _MARKER).children().values()
        except ConfigError:  # a field for certain layers only
            continue
        marked = [own for own, part in zip(names, tried, strict=True) if part is _MARKER]
        if name in marked:
            return index, marked
    return None, []
