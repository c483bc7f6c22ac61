"""What our layers are called in LOOM's first generation: those that hold others, and the table of all."""

from typing import Any

import numpy as np

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import Layer, check
from zerfoo_jax.core.types import Params, Spec
from zerfoo_jax.formats.loom.order import Order
from zerfoo_jax.formats.loom.single_forms import NO_FORM, SINGLE_FORMS, Form, array_of, in_order, need, shape_of
from zerfoo_jax.formats.loom.written import Writer, Written
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.layers import KMeans, MixtureOfExperts, Parallel, Residual, Sequential


def write_layer(w: Writer, layer: Layer, params: Params, order: Order, place: str) -> Order:
    """Writes a layer and gives what flows behind it."""
    form = FORMS.get(type(layer))
    if form is not None:
        return form(w, layer, params, order, place)
    w.refuse(f"{type(layer).__name__} {NO_FORM}", place)
    return order.to(_shape_behind(layer, order))


def _shape_behind(layer: Layer, order: Order) -> tuple[int, ...]:
    """The shape behind a layer without a form, as far as one can tell; what follows is gone through for more of them."""
    for dtype in ("float32", "int32"):
        try:
            output = check(layer, Spec((1, *order.shape), dtype))
        except ShapeError:
            continue
        if isinstance(output, Spec):
            return tuple(output.shape[1:])
    return order.shape


def _children(w: Writer, layer: Sequential, params: Params, order: Order, place: str) -> Order:
    for name, child in layer.children().items():
        order = write_layer(w, child, params.get(name, {}), order, f"{place}/{name}" if place else name)
    return order


def _sequential(w: Writer, layer: Sequential, params: Params, order: Order, place: str) -> Order:
    if not place:
        return _children(w, layer, params, order, place)
    inside = w.inside()
    order = _children(inside, layer, params, order, place)
    w.add("sequential", {}, inner=inside.finish())
    return order


def _graph(w: Writer, layer: Graph, params: Params, order: Order, place: str) -> Order:
    before = layer.input_names
    for node in layer.nodes:
        if node.inputs != before or len(before) != 1:
            w.refuse(
                "a graph that is no chain of nodes has no form in LOOM's bundles",
                f"{place}/{node.name}" if place else node.name,
            )
            return order
        before = (node.name,)
    if layer.outputs != before:
        w.refuse("a graph whose output is not its last node has no form in LOOM's bundles", place or layer.outputs[0])
        return order
    for node in layer.nodes:
        inner = f"{place}/{node.name}" if place else node.name
        order = write_layer(w, node.layer, params.get(node.name, {}), order, inner)
    return order


def _kmeans(w: Writer, layer: KMeans, params: Params, order: Order, place: str) -> Order:
    centers = array_of(params, "centers")
    follows = bool(w.layers) and w.layers[-1].fields["type"] != "residual"
    need(w, follows, layer, "without a layer before it, whose outputs LOOM clusters,", place)
    need(w, not w.loom or layer.distance == "euclidean", layer, f"with the distance {layer.distance!r}", place)
    in_order(w, layer, order, place)
    fields = {
        "num_clusters": layer.num_clusters,
        "distance_metric": "" if layer.distance == "euclidean" else layer.distance,
        "kmeans_temperature": np.float32(layer.temperature),
        "kmeans_output_mode": layer.output,
        "cluster_dim": centers.shape[1],
    }
    inside = w.inside()
    inside.layers = [w.layers.pop()] if w.layers else []
    w.add("kmeans", fields, {"cluster_centers": centers}, inner=inside.finish())
    return order.to(shape_of(layer, order))


def _residual(w: Writer, layer: Residual, params: Params, order: Order, place: str) -> Order:
    need(w, layer.shortcut is None, layer, "with a layer on its shortcut", place)
    inside = w.inside()
    after = _inner(inside, layer.inner, params.get("inner", {}), order, f"{place}/inner")
    found = inside.finish()
    need(w, after.same(order), layer, "around a change of axes", place)
    if len(found) == 1:
        w.layers += found
    else:
        w.add("sequential", {}, inner=found)
    w.add("residual", {})
    return order.to(after.shape)


COMBINATIONS = {"add": "add", "average": "avg", "concat": "concat", "grid_scatter": "grid_scatter"}


def _parallel(w: Writer, layer: Parallel, params: Params, order: Order, place: str) -> Order:
    given = {"name": layer.combine} if isinstance(layer.combine, str) else dict(layer.combine)
    name = given["name"]
    need(w, name in COMBINATIONS, layer, f"that combines by {name!r}", place)
    branches = [_branch(w, f"branch_{i}", branch, params, order, place) for i, branch in enumerate(layer.branches)]
    fields: dict[str, Any] = {"combine_mode": COMBINATIONS.get(name, "concat")}
    if name == "grid_scatter":
        keys = ("target_row", "target_col", "target_layer")
        cells = [{"branch_index": i} | dict(zip(keys, cell, strict=True)) for i, cell in enumerate(given["positions"])]
        fields |= {"grid_positions": cells, "grid_output_rows": given["rows"], "grid_output_cols": given["columns"]}
        fields["grid_output_layers"] = given.get("layers", 1)
    w.add("parallel", fields, inner=branches)
    return order.to(shape_of(layer, order))


def _inner(w: Writer, layer: Layer, params: Params, order: Order, place: str) -> Order:
    """A layer inside another, the layers of a Sequential one by one."""
    one_by_one = isinstance(layer, Sequential)
    return _children(w, layer, params, order, place) if one_by_one else write_layer(w, layer, params, order, place)


def _branch(w: Writer, name: str, layer: Layer, params: Params, order: Order, place: str) -> Written:
    """A branch as one LOOM layer: a sequential one where it is several, or none, which gives its input."""
    inside, inner = w.inside(), f"{place}/{name}"
    own = params.get(name, {})
    after = _inner(inside, layer, own, order, inner)
    need(
        w, after.places is None and len(after.shape) == 1, layer, "as a branch unless it gives one row, in LOOM's order,", inner
    )
    found = inside.finish()
    return found[0] if len(found) == 1 else Written({"type": "sequential"}, inner=found)


def _mixture(w: Writer, layer: MixtureOfExperts, params: Params, order: Order, place: str) -> Order:
    need(w, layer.top_k is None, layer, "that chooses among its experts", place)
    experts = [_branch(w, f"expert_{i}", expert, params, order, place) for i, expert in enumerate(layer.experts)]
    gate = _branch(w, "gate", layer.children()["gate"], params, order, place)
    fields: dict[str, Any] = {"combine_mode": "filter", "filter_temperature": np.float32(layer.temperature)}
    w.add("parallel", fields, inner=experts, gate=None if w.loom else gate)
    return order.to(shape_of(layer, order))


FORMS: dict[type[Layer], Form] = SINGLE_FORMS | {
    Graph: _graph,
    KMeans: _kmeans,
    MixtureOfExperts: _mixture,
    Parallel: _parallel,
    Residual: _residual,
    Sequential: _sequential,
}
"""How each layer is written."""
