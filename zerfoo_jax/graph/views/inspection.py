"""An outline as rows for a table, and as plain values for JSON."""

from collections.abc import Sequence
from typing import Any

from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.views.outline import Outline


def inspected(found: Outline, depth: int | None = None) -> dict[str, Any]:
    """What there is to say about a model, as plain values: totals, and every layer down to a depth, outer before inner.

    `operations` are floating-point ones of a run on `inputs`, `operations_per_example` those for one of their first axis.

    >>> import jax
    >>> from zerfoo_jax.graph.views.outline import outline
    >>> from zerfoo_jax.layers import Dense, Sequential
    >>> said = inspected(outline(Sequential((Dense(3), Dense(2))), jax.ShapeDtypeStruct((5, 4), "float32")))
    >>> said["parameters"], said["operations_per_example"], [layer["path"] for layer in said["layers"]]
    (23, 41, ['dense_0', 'dense_1'])
    """
    inside = [(path, part) for path, part in found.parts() if path and (depth is None or path.count("/") < depth)]
    examples = next((spec.shape[0] for spec in found.inputs if spec.shape), 1)
    return {
        "name": found.name,
        "layer": found.kind,
        "inputs": _specs(found.inputs),
        **_costs(found),
        "operations_per_example": found.operations // max(1, examples),
        **_wiring(found),
        "layers": [_layer(path, part) for path, part in inside],
    }


def _layer(path: str, part: Outline) -> dict[str, Any]:
    shared = {"shared_with": part.shared_with} if part.shared_with else {}
    copies = {"copies": part.copies} if part.copies > 1 else {}
    return {"path": path, "layer": part.kind, **_costs(part), **copies, **shared, **_wiring(part)}


def _costs(part: Outline) -> dict[str, Any]:
    return {
        "outputs": _specs(part.outputs),
        "parameters": part.parameters.numbers,
        "parameter_bytes": part.parameters.bytes,
        "state": part.state.numbers,
        "state_bytes": part.state.bytes,
        "operations": part.operations,
    }


def _wiring(part: Outline) -> dict[str, Any]:
    """The edges between the parts of a group, and the operations they meet in; nothing for a single layer."""
    if not part.children:
        return {}
    edges = [{"from": edge.source, "to": edge.target, **_spec(edge.value)} for edge in part.edges]
    return {"edges": edges, "joins": {join.name: join.symbol for join in part.joins}}


def _specs(specs: Sequence[Spec]) -> list[dict[str, Any]]:
    return [_spec(spec) for spec in specs]


def _spec(spec: Spec) -> dict[str, Any]:
    return {"shape": list(spec.shape), "dtype": str(spec.dtype)}
