"""What is written down of an operation that has run."""

from dataclasses import dataclass
from typing import Any

from zerfoo_jax.engines.interpreter import Ran
from zerfoo_jax.engines.scope import Phase
from zerfoo_jax.engines.value import Summary


@dataclass(frozen=True)
class Operation:
    """One primitive, what went in and what came out."""

    primitive: str
    node: str
    """Path of the layer it belongs to; in loops with the iteration: `stack_0/block[2]/dense_0`. Empty outside of layers."""
    layer: str
    """The same without iterations."""
    phase: Phase
    inputs: tuple[Summary, ...]
    outputs: tuple[Summary, ...]
    seconds: float
    """Until the results were there; the first time for these shapes, compiling the primitive is part of it."""
    source: str
    """`file:line` of the code that made it; empty where that is not known."""

    @property
    def signature(self) -> str:
        """Primitive, shapes and dtypes: `dot_general float32[4,3] float32[3,2] -> float32[4,2]`."""
        return f"{self.primitive} {' '.join(x.spec for x in self.inputs)} -> {' '.join(x.spec for x in self.outputs)}"

    @property
    def place(self) -> str:
        """The node in words, with the pass and the line of code."""
        where = f"the {self.phase} pass" if self.phase != "update" else "the update"
        return f"{self.node or 'outside of all layers'}, in {where}{f' ({self.source})' if self.source else ''}"

    def record(self) -> dict[str, Any]:
        """The operation as JSON holds it."""
        return {
            "operation": self.primitive,
            "node": self.node,
            "phase": self.phase,
            "inputs": [x.spec for x in self.inputs],
            "outputs": [
                {"spec": x.spec, "mean": x.mean, "std": x.std, "min": x.min, "max": x.max, "nans": x.nans, "infs": x.infs}
                for x in self.outputs
            ],
            "seconds": round(self.seconds, 7),
            "source": self.source,
        }


def operation_of(ran: Ran, statistics: bool = True) -> Operation:
    """The record of a primitive that has run; without `statistics` it says only of what it made whether it is finite."""
    scope, number = ran.place.scope, ran.number
    return Operation(
        primitive=ran.equation.primitive.name,
        node="/".join(scope.names(number, ran.place.indices)),
        layer="/".join(scope.names(number)),
        phase=scope.phases[number],
        inputs=tuple(x.summary(statistics) for x in ran.inputs),
        outputs=tuple(x.summary(statistics) for x in ran.outputs),
        seconds=ran.seconds,
        source=scope.sources[number],
    )


def table(operations: tuple[Operation, ...]) -> str:
    """The operations as lines of text, one for each result."""
    rows: list[tuple[str, ...]] = [("node", "phase", "operation", "result", "mean", "std", "min", "max", "nan", "inf", "ms")]
    for operation in operations:
        ms = f"{1e3 * operation.seconds:.3g}"
        for x in operation.outputs:
            numbers = ["-" if n is None else f"{n:.4g}" for n in (x.mean, x.std, x.min, x.max)]
            rows.append((operation.node, operation.phase, operation.primitive, x.spec, *numbers, str(x.nans), str(x.infs), ms))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)
