"""The structure of any model as data: groups in groups, who feeds whom inside each, and what every layer costs."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from inspect import Parameter, signature
from typing import Any

import jax

from zerfoo_jax.core.errors import ConfigError, join_path, nearest
from zerfoo_jax.core.layer import Built, Composite, Layer, Walk, abstract, check, is_known
from zerfoo_jax.core.sizes import Size, size_of
from zerfoo_jax.core.types import Array, Params, Spec, State, Tree, spec_of
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.views.operations import KEY, count_operations
from zerfoo_jax.graph.views.wires import INPUT, OUTPUT, OWN, Edge, Join, call_part, wiring
from zerfoo_jax.layers import Frozen, LoRA, Quantized, Stack


@dataclass(frozen=True)
class Outline:
    """A layer of a model as its outline shows it; one made of layers is a group of further outlines.

    Sizes and `operations` (floating-point, one run of the model on the inputs given) are of all that lies inside, and of all
    `copies` of it where it stands in a `Stack`. A layer that runs at several places has its parameters at the first of them;
    the others name that place in `shared_with`. `edges` connect the names of `children` and of `joins` with each other and with
    the ports, see `graph.views.wires`.
    """

    name: str
    kind: str
    inputs: tuple[Spec, ...]
    outputs: tuple[Spec, ...]
    parameters: Size
    state: Size
    operations: int = 0
    copies: int = 1
    shared_with: str = ""
    children: tuple["Outline", ...] = ()
    joins: tuple[Join, ...] = ()
    edges: tuple[Edge, ...] = ()
    input_names: tuple[str, ...] = ()
    own_names: tuple[str, ...] = ()
    """The names of a group's own parameters, beside those of its children."""

    def parts(self, path: str = "") -> Iterator[tuple[str, "Outline"]]:
        """This outline and all in it, each with its path, outer before inner."""
        yield path, self
        for child in self.children:
            yield from child.parts(join_path(path, child.name))

    def at(self, path: str) -> "Outline":
        """The part with that path; raises `ConfigError` where there is none."""
        parts = dict(self.parts())
        if path not in parts:
            raise ConfigError(f"the model has no node {path!r}", fix=nearest(path, [known for known in parts if known]))
        return parts[path]

    def around(self, name: str, hops: int) -> "Outline":
        """This group with no other parts and ports than those at most so many edges away from the part `name`."""
        near = {name}
        for _ in range(hops):
            near |= {end for e in self.edges if near & {e.source, e.target} for end in (e.source, e.target)}
        return replace(
            self,
            children=tuple(child for child in self.children if child.name in near),
            joins=tuple(join for join in self.joins if join.name in near),
            edges=tuple(edge for edge in self.edges if {edge.source, edge.target} <= near),
        )

    def grouped(self) -> "Outline":
        """This outline if it is a group, else the group of it alone."""
        if self.children:
            return self
        part = replace(self, name=self.name or "model")
        arriving = (Edge(f"{INPUT}{i}", part.name, value) for i, value in enumerate(self.inputs))
        leaving = (Edge(part.name, f"{OUTPUT}{i}", value) for i, value in enumerate(self.outputs))
        names = tuple(f"input {i}" if len(self.inputs) > 1 else "input" for i in range(len(self.inputs)))
        return replace(self, children=(part,), edges=(*arriving, *leaving), input_names=names)


def outline(model: Layer, *specs: Spec, name: str = "") -> Outline:
    """The outline of a model on inputs of these shapes and dtypes; allocates no arrays.

    Raises `ShapeError` if they do not fit, and `ConfigError` for some fifty layers in each other.

    >>> import jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense, Residual
    >>> found = outline(Residual(Dense(4)), Spec((1, 4), jnp.float32))
    >>> [(child.name, child.kind, child.parameters.numbers, child.operations) for child in found.children]
    [('inner', 'Dense', 20, 36)]
    >>> [(edge.source, edge.target) for edge in found.edges]
    [('/input:0', 'inner'), ('/input:0', '/join:0'), ('inner', '/join:0'), ('/join:0', '/output:0')]
    """
    tracing = _Tracing()
    try:
        found = tracing.trace(model, tuple(map(spec_of, specs)))
    except RecursionError as error:
        raise ConfigError("the layers are nested too deep", fix="use Stack or a graph") from error
    except Exception:
        check(model, *specs)  # says in which layer, where it is a question of shapes
        raise

    counts = count_operations(lambda *arguments: model.apply(*arguments), found.params, found.state, *specs)
    return _finished(replace(found.outline, name=name), counts)


@dataclass(frozen=True)
class _Traced:
    outline: Outline
    params: Params
    state: State
    output: Tree
    values: tuple[Any, ...]
    """The leaves of the output, as the program of the group around has them."""


@dataclass
class _Tracing(Walk):
    """A walk that builds every layer in a program of its own, in which its parts are single equations."""

    traced: dict[Any, _Traced] = field(default_factory=dict)
    group: list[tuple[str, Built, Outline]] = field(default_factory=list)
    """Places, results and outlines of the parts of the layer being built."""
    origins: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    """Known values by their identity, each with what stands for it in the program of its group."""

    def visit(self, layer: Layer, name: str, key: Array, *xs: Any, shared: Built | None = None) -> Built:
        del key  # the parts of a group do not make its own parameters
        found = self.trace(layer, xs)
        arriving = [self.origins[id(x)][1] if id(x) in self.origins else x for x in xs]
        made = call_part.bind(*arriving, place=name, outputs=found.values)
        leaves = jax.tree.leaves(found.output)
        values = [self._noted(known, value) if is_known(known) else value for known, value in zip(leaves, made, strict=True)]
        built = (found.params, found.state, jax.tree.unflatten(jax.tree.structure(found.output), values))
        at = next((place for place, before, _ in self.group if before is shared), "")
        own = {"parameters": Size(), "state": Size()} if at else {}
        self.group.append((name, built, replace(found.outline, name=name, shared_with=at, **own)))
        return built

    def _noted(self, known: Any, value: Any) -> Any:
        """The known value as an array of its own, from which `value` is found."""
        own = known.view()
        self.origins[id(own)] = own, value
        return own

    def trace(self, layer: Layer, xs: tuple[Any, ...]) -> _Traced:
        """Outline, parameters, state and output of a layer; those of equal layers on equal inputs are found once."""
        specs = tuple(map(spec_of, xs))
        if any(map(is_known, xs)):
            return self._trace(layer, specs, xs)
        if (layer, specs) not in self.traced:
            self.traced[layer, specs] = self._trace(layer, specs, xs)
        return self.traced[layer, specs]

    def _trace(self, layer: Layer, specs: tuple[Spec, ...], xs: tuple[Any, ...]) -> _Traced:
        outer, self.group = self.group, []
        built: list[Tree] = []

        def build(key: Array, *traced: Array) -> Tree:
            arrived = (self._noted(x, value) if is_known(x) else value for x, value in zip(xs, traced, strict=True))
            params, state, output = layer.build(self, key, *arrived)
            built.extend((*abstract((params, state)), jax.tree.map(lambda x: x if is_known(x) else spec_of(x), output)))
            return jax.tree.map(lambda x: self.origins[id(x)][1] if id(x) in self.origins else x, output)

        try:
            program = jax.make_jaxpr(build)(KEY, *specs)
            children = tuple(part for _, _, part in self.group)
        finally:
            self.group = outer
        params, state, output = built
        if isinstance(layer, Frozen | LoRA | Quantized):
            children = tuple(_resting(part, state.get("params", {})) for part in children)
        outputs = tuple(map(spec_of, jax.tree.leaves(output)))
        found = Outline("", type(layer).__name__, specs, outputs, size_of(params), size_of(state))
        if children:
            edges, joins = wiring(program.jaxpr)
            names = layer.children() if isinstance(layer, Composite) else params
            own = tuple(name for name in params if name not in names)
            if len(own) == 1:  # as it is kept, not as the operation before it turns it
                edges = tuple(replace(e, value=params[own[0]]) if e.source == OWN else e for e in edges)
            inputs = _input_names(layer, len(specs))
            found = replace(found, children=children, edges=edges, joins=joins, input_names=inputs, own_names=own)
            found = replace(found, copies=layer.num_layers if isinstance(layer, Stack) else 1)
        return _Traced(found, params, state, output, tuple(program.out_avals))


def _resting(part: Outline, params: Params) -> Outline:
    """A part whose parameters a layer around it keeps in its state, as they are kept there."""
    if part.kind == "Stack":
        inside = {child.name: jax.tree.map(lambda x: Spec(x.shape[1:], x.dtype), params) for child in part.children}
    else:
        inside = params
    children = tuple(_resting(child, inside.get(child.name, {})) for child in part.children)
    size = Size() if part.shared_with else size_of(params)
    return replace(part, parameters=Size(), state=part.state + size, children=children)


def _input_names(layer: Layer, count: int) -> tuple[str, ...]:
    """The names of a group's inputs: those of a graph, or of the arguments of `connect`."""
    if isinstance(layer, Graph):
        return layer.input_names
    arguments = list(signature(layer.connect).parameters.values())[1:] if isinstance(layer, Composite) else []
    names = tuple(p.name for p in arguments if p.kind is Parameter.POSITIONAL_OR_KEYWORD)
    return names[:count] if len(names) >= count else tuple(f"input {i}" if count > 1 else "input" for i in range(count))


def _finished(found: Outline, counts: Mapping[str, int]) -> Outline:
    """The outline with operations, and with sizes and copies of all blocks of a stack in each part of them."""
    scopes = {path: _scope(found, path) for path, _ in found.parts()}
    known = set(scopes.values())
    totals: Counter[str] = Counter()
    for path, count in counts.items():
        while path not in known:  # scopes inside a layer
            path = path.rpartition("/")[0]
        for end in range(len(path.split("/")) + 1 if path else 1):
            totals["/".join(path.split("/")[:end])] += count
    return _spread(found, "", 1, {path: totals[scope] for path, scope in scopes.items()})


def _scope(found: Outline, path: str) -> str:
    """The named scopes in which the part with that path runs: the blocks of a stack run as one."""
    scopes = []
    for name in path.split("/") if path else ():
        scopes.append("block" if found.kind == "Stack" else name)
        found = next(child for child in found.children if child.name == name)
    return "/".join(scopes)


def _spread(found: Outline, path: str, copies: int, operations: Mapping[str, int]) -> Outline:
    inside = copies * found.copies
    children = tuple(_spread(child, join_path(path, child.name), inside, operations) for child in found.children)
    return replace(
        found,
        children=children,
        copies=copies,
        operations=operations[path],
        parameters=found.parameters * copies,
        state=found.state * copies,
    )
