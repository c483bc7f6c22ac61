"""A model as a list of its layers with shapes and numbers of parameters, in the form that LOOM's viewers read."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
import re
from typing import Any

import jax

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import options
from zerfoo_jax.core.layer import Layer, Visit, walk
from zerfoo_jax.core.sizes import size_of
from zerfoo_jax.core.spec import MemberOf
from zerfoo_jax.core.types import Spec, Tree
from zerfoo_jax.layers import MixtureOfExperts, Stack

Entry = dict[str, Any]
_CELL = re.compile(r"(?:^|/)(?:cell_(\d+)_(\d+)|row_(\d+)(?:/branch_(\d+))?)")
_IN_CELL = re.compile(r"/layer_(\d+)")


def blueprint(model: Layer, *specs: Spec, id: str = "model") -> dict[str, Any]:  # LOOM's word
    """`{models: [{id, total_layers, total_parameters, layers}]}` of a model on inputs of these shapes.

    An entry of `layers` is `{path, grid_row, grid_col, cell_layer, type, activation, parameters, input_shape, output_shape,
    branches, combine_mode}`. Entries are the innermost layers, in the order in which they run, and layers made of layers only
    where they have parameters of their own or join branches: then `branches` holds the entries of what is inside, and
    `parameters` is the number of all of them. The blocks of a `Stack` are one entry each with the parameters of all blocks.
    What rests in the state of a frozen layer counts; a layer's second place does not. Of several inputs or outputs the shape
    is the first one's. The cell is that of architecture `grid`; elsewhere 0, 0 and the place in the list. An activation or a
    way to combine that a layer does not have is "". Raises `ShapeError` for inputs that do not fit.

    >>> from zerfoo_jax.layers import Activation, Dense, Sequential
    >>> plan = blueprint(Sequential((Dense(8), Activation("relu"))), Spec((1, 4), "float32"))["models"][0]
    >>> plan["total_parameters"], [(layer["type"], layer["activation"], layer["output_shape"]) for layer in plan["layers"]]
    (40, [('Dense', '', [1, 8]), ('Activation', 'relu', [1, 8])])
    """
    result = walk(model, *specs)
    if result.problems:
        raise ShapeError(result.problems)
    entries = _Lister(result.visits).below("")
    total = sum(entry["parameters"] for entry in entries)
    return {"models": [{"id": id, "total_layers": len(entries), "total_parameters": total, "layers": _placed(entries)}]}


class _Lister:
    """Lists what is at and below a path."""

    def __init__(self, visits: Sequence[Visit]):
        self._visits: dict[str, Visit] = {}
        for visit in visits:  # a layer that is run again at the same place is met again
            self._visits.setdefault(visit.path, visit)
        self._inside: Mapping[str, list[str]] = defaultdict(list)
        for path in self._visits:
            if path:
                self._inside[path.rpartition("/")[0]].append(path)

    def below(self, path: str, copies: int = 1) -> list[Entry]:
        visit, inside = self._visits[path], self._inside[path]
        more = copies * visit.layer.num_layers if isinstance(visit.layer, Stack) else copies
        within = [entry for part in inside for entry in self.below(part, more)]
        own = copies * _own_parameters(visit, [part.rpartition("/")[2] for part in inside])
        combined = _combine_mode(visit.layer)
        if combined:
            return [_entry(visit, own + sum(entry["parameters"] for entry in within), combined, _placed(within))]
        return within if inside and not own else [_entry(visit, own), *within]


def _own_parameters(visit: Visit, inside: list[str]) -> int:
    if isinstance(visit.layer, Stack):
        return 0  # they are the block's
    return size_of({name: tree for name, tree in visit.params.items() if name not in inside}).numbers


def _entry(visit: Visit, parameters: int, combine_mode: str = "", branches: Sequence[Entry] = ()) -> Entry:
    return {
        "path": visit.path,
        "type": type(visit.layer).__name__,
        "activation": _named(visit.layer, "activation"),
        "parameters": parameters,
        "input_shape": _shape(visit.inputs),
        "output_shape": _shape(visit.output),
        "branches": list(branches),
        "combine_mode": combine_mode,
    }


def _shape(tree: Tree) -> list[int]:
    return [*jax.tree.leaves(tree)[0].shape] if jax.tree.leaves(tree) else []


def _combine_mode(layer: Layer) -> str:
    return "filter" if isinstance(layer, MixtureOfExperts) else _named(layer, "combination")


def _named(layer: Layer, kind: str) -> str:
    """The name of the member of a table of this kind that a layer's field names; "" without such a field."""
    for name, hint in options(type(layer)).items():
        if any(isinstance(part, MemberOf) and part.kind == kind for part in getattr(hint, "__metadata__", ())):
            value = getattr(layer, name)
            return value if isinstance(value, str) else dict(value)["name"]
    return ""


def _placed(entries: Sequence[Entry]) -> list[Entry]:
    """The entries with their cells."""
    placed, count = [], Counter()
    for index, entry in enumerate(entries):
        found = _CELL.search(entry["path"])
        row, column = _cell(found) if found else (0, 0)
        named = _IN_CELL.search(entry["path"])
        layer = index if not found else int(named[1]) if named else count[row, column]
        count[row, column] += 1
        placed.append({**entry, "grid_row": row, "grid_col": column, "cell_layer": layer})
    return placed


def _cell(found: re.Match[str]) -> tuple[int, int]:
    cell_row, cell_column, row, branch = found.groups()
    return int(cell_row or row), int(cell_column or branch or 0)
