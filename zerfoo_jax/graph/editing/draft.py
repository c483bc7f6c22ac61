"""A network in the middle of an edit: rebuilt in steps, checked and completed once at the end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax

from zerfoo_jax.core.errors import GraphError, Problem, ZerfooError
from zerfoo_jax.core.layer import Layer, problems_of, walk
from zerfoo_jax.core.types import Array, Params, Spec, State, Tree
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.editing.place import Names, Place, children, split_path, trail, with_child

Renames = Mapping[str, str | None]
"""Old names of parts to new ones, or to None for those that go."""


@dataclass(frozen=True)
class Draft:
    """A model and those of its variables, `{params: ..., state: ...}`, that are known already."""

    model: Layer
    variables: Tree

    @classmethod
    def of(cls, network: Network, anew: Iterable[str] = ()) -> "Draft":
        """The network as it is, without the variables of the layers at the paths `anew`."""
        draft = cls(network.model, {"params": network.params, "state": network.state})
        for path in anew:
            place = trail(network.model, split_path(path))[-1]
            draft = draft.replaced(place.names, place.layer)
        return draft

    def variables_of(self, place: Place) -> tuple[Params, State]:
        """Parameters and state of the layer at a place."""
        return _get(self.variables, place.params), _get(self.variables, place.state)

    def rebuilt(self, names: Names, layer: Layer, renames: Renames) -> "Draft":
        """The draft with another layer at a path, whose parts keep their variables under new names."""
        places = trail(self.model, names)
        variables = self.variables
        for way in dict.fromkeys((places[-1].params, places[-1].state)):
            variables = _set(variables, way, _renamed(_get(variables, way), renames))
        return Draft(_with_layer(places, layer), variables)

    def replaced(self, names: Names, layer: Layer, params: Params | None = None, state: State | None = None) -> "Draft":
        """The draft with another layer at a path, with these variables; the layers beside it keep theirs."""
        if not names:
            return Draft(layer, {"params": params or {}, "state": state or {}})
        *outer, name = names
        holder = trail(self.model, names)[-2].layer
        renewed = _placed(holder, name, layer, tuple(outer))
        renames = dict(zip(children(holder), children(renewed), strict=True))
        draft = self.rebuilt(tuple(outer), renewed, renames)
        place = trail(draft.model, tuple(outer))[-1].child(renames[name])
        variables = _set(draft.variables, place.params, params or {})
        return replace(draft, variables=_set(variables, place.state, state or {}))

    def finish(self, key: Array | None, *specs: Spec) -> Network:
        """The network that the draft describes, for inputs of these shapes and dtypes.

        Variables that it lacks get the values that the model's `init` gives them. Raises one `GraphError` that lists all
        problems of wiring and shapes, or else all variables that do not fit their layers any more.
        """
        problems = walk(self.model, *specs).problems
        if problems:
            raise GraphError(problems)
        wanted = jax.eval_shape(self._init(*specs), jax.random.key(0))
        known = _leaves(self.variables)
        misfits = [
            _misfit(names, known[names], leaf)
            for names, leaf in _leaves(wanted).items()
            if names in known and known[names].shape != leaf.shape
        ]
        if misfits:
            raise GraphError(misfits)
        new = [names for names in _leaves(wanted) if names not in known]
        if new and key is None:
            raise GraphError(
                [Problem("new parameters need a random key", "/".join(names[1:]), "pass key=...") for names in new]
            )
        drawn = jax.jit(lambda key: _pick(self._init(*specs)(key), new))(key) if new else []
        known |= dict(zip(new, drawn, strict=True))
        complete = _filled(wanted, known)
        return Network(self.model, complete["params"], complete["state"], specs)

    def _init(self, *specs: Spec) -> Any:
        return lambda key: dict(zip(("params", "state"), self.model.init(key, *specs), strict=True))


def _with_layer(places: list[Place], layer: Layer) -> Layer:
    """The model with another layer at the end of a trail."""
    for holder, inner in zip(reversed(places[:-1]), reversed(places[1:]), strict=True):
        layer = _placed(holder.layer, inner.names[-1], layer, holder.names)
    return layer


def _placed(holder: Layer, name: str, part: Layer, outer: Names) -> Layer:
    try:
        return with_child(holder, name, part)
    except ZerfooError as error:
        prefix = "/".join(outer)
        raise GraphError([problem.under(prefix) for problem in problems_of(error)]) from error


def _misfit(names: Names, have: Array, want: Spec) -> Problem:
    *path, leaf = names[1:]
    cause = f"{leaf} is {tuple(have.shape)}, and the edited model needs {tuple(want.shape)}"
    return Problem(cause, "/".join(path), "name it in `anew`, to start it anew")


def _get(tree: Tree, names: Names) -> Tree:
    for name in names:
        tree = tree.get(name, {})
    return tree


def _set(tree: Tree, names: Names, value: Tree) -> Tree:
    """A copy of the tree with another subtree, and without branches that are empty then."""
    if not names:
        return value
    inner = _set(tree.get(names[0], {}), names[1:], value)
    rest = {name: part for name, part in tree.items() if name != names[0]}
    return {**rest, names[0]: inner} if inner else rest


def _renamed(tree: Tree, renames: Renames) -> Tree:
    named = ((renames.get(name, name), part) for name, part in tree.items())
    return {name: part for name, part in named if name is not None}


def _leaves(tree: Tree, names: Names = ()) -> dict[Names, Any]:
    if not isinstance(tree, Mapping):
        return {names: tree}
    return {way: leaf for name, part in tree.items() for way, leaf in _leaves(part, (*names, name)).items()}


def _pick(tree: Tree, ways: list[Names]) -> list[Array]:
    return [_get(tree, way) for way in ways]


def _filled(wanted: Tree, known: Mapping[Names, Array], names: Names = ()) -> Tree:
    if not isinstance(wanted, Mapping):
        return known[names]
    return {name: _filled(part, known, (*names, name)) for name, part in wanted.items()}
