"""The Layer contract, and the one walk that initialises, checks and describes any model.

A layer is a frozen dataclass: its fields are its hyper-parameters, and its two functions are pure::

    init(key, *specs)                              -> (params, state)
    apply(params, state, *xs, key=None, train=False) -> (output, state)

A layer without state or randomness defines `forward(params, *xs) -> output` instead of `apply`. A layer made of layers is a
`Composite`: it names its children and says how they are wired, once, in `connect`; initialising, running, checking and
describing it all follow from that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.arity import expect_inputs
from zerfoo_jax.core.errors import ConfigError, Problem, ShapeError, ZerfooError, brief, join_path
from zerfoo_jax.core.fields import check_fields
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.recording import at as recording_at
from zerfoo_jax.core.recording import lifted
from zerfoo_jax.core.types import Array, Params, Spec, State, Tree, spec_of

MODEL = "model"
"""The path of the outermost layer, where it needs a name."""

FOLLOWS = " (may follow from the problem at"
"""What the cause of a problem says that was met after a guess."""

Built = tuple[Params, State, Tree]
"""Parameters, state and output of a layer that has just been initialised."""


@dataclass(frozen=True)
class Layer:
    """Base of all layers. Frozen, hashable, comparable, picklable; constructing one checks its fields.

    The signatures here are open (`*xs: Any, **_: Any`), so that each layer can name the inputs that it takes.
    """

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, key: Array, *specs: Any, **_: Any) -> tuple[Params, State]:
        """Initial parameters and state for inputs of these shapes and dtypes. Default: none of either."""
        del key, specs
        return {}, {}

    def forward(self, params: Params, *xs: Any, **_: Any) -> Tree:
        """The output of a layer that has neither state nor randomness."""
        raise NotImplementedError(f"{type(self).__name__} defines neither forward nor apply")

    def apply(self, params: Params, state: State, *xs: Any, **mode: Any) -> tuple[Tree, State]:
        """Output and new state. `mode` is `key` (for randomness, or None) and `train` (bool)."""
        del mode
        return self.forward(params, *xs), state

    @property
    def is_source(self) -> bool:
        """Whether the layer makes its output out of nothing: a node of it has no inputs."""
        return False

    def build(self, walk: "Walk", key: Array, *xs: Any, **_: Any) -> Built:
        """Initialises the layer on traced inputs and finds its output's shape; only `Composite`s override it."""
        specs = tuple(map(spec_of, xs))
        equal = None if any(map(is_known, xs)) else walk.known.get((self, specs))
        params, state, output = equal or self._shapes(walk, key, specs, xs)
        return params, state, jax.tree.map(lambda s: s if is_known(s) else jnp.zeros(s.shape, s.dtype), output)

    def _shapes(self, walk: "Walk", key: Array, specs: tuple[Spec, ...], xs: tuple[Any, ...]) -> Built:
        params, state = self.init(key, *specs)
        output = _output_of(self, params, state, xs)
        if walk.collect and not any(map(is_known, (*xs, *jax.tree.leaves(output)))):
            # Which is about shapes alone: equal layers have equal ones.
            walk.known[self, specs] = abstract(params), abstract(state), output
        return params, state, output


def is_known(x: Any) -> bool:
    """Whether a value is known while shapes are worked out: a NumPy array, such as a shape that a layer reads off its input.

    Layers may give NumPy arrays and take them; what is known to the layer that runs is known to `init` and `check` too.
    """
    return isinstance(x, np.ndarray)


def _output_of(layer: Layer, params: Params, state: State, xs: tuple[Any, ...]) -> Tree:
    """Shapes and dtypes of a layer's output; what it computes without JAX stays a value."""
    known: list[Any] = []

    def run(params: Params, state: State, *traced: Any) -> Tree:
        arrived = iter(traced)
        output, _ = layer.apply(params, state, *(x if is_known(x) else next(arrived) for x in xs))
        known.extend(leaf if is_known(leaf) else None for leaf in jax.tree.leaves(output))
        return output

    output = jax.eval_shape(run, params, state, *(x for x in xs if not is_known(x)))
    leaves, tree = jax.tree.flatten(output)
    return tree.unflatten(leaf if value is None else value for leaf, value in zip(leaves, known, strict=True))


def run_part(
    layer: Layer, place: str, params: Params, state: State, *xs: Any, key: Array | None = None, train: bool = False
) -> tuple[Tree, State]:
    """Output and new state of a part of a layer: all that a layer runs, it runs through here.

    The place stands in profiles and errors. While activity is recorded the new state holds records, see `core.recording`.
    """
    with jax.named_scope(place), note_path(place), recording_at(place) as noted:
        output, state = layer.apply(params, state, *xs, key=key, train=train)
        return output, noted(output, state)


@dataclass(frozen=True)
class Composite(Layer):
    """A layer made of named layers. Subclasses define `children` and `connect`."""

    def children(self) -> Mapping[str, Layer]:
        """The parts, by name. A name is a part's key in `params` and `state`."""
        raise NotImplementedError

    def connect(self, call: Callable[..., Tree], *xs: Any, **_: Any) -> Tree:
        """The wiring: `call(name, *inputs)` runs a child and gives its output.

        A child may run more than once, with the same parameters: `call(name, *inputs, at="again")` names the further place.
        """
        raise NotImplementedError

    def init(self, key: Array, *specs: Any) -> tuple[Params, State]:
        return _init(self, tuple(map(spec_of, specs)), key)

    def apply(
        self, params: Params, state: State, *xs: Any, key: Array | None = None, train: bool = False
    ) -> tuple[Tree, State]:
        children, new_state = self.children(), {}

        def call(name: str, *inputs: Any, at: str = "") -> Tree:
            place = at or name
            child_key = None if key is None else fold_in_name(key, place)
            child_state = new_state.get(name, state.get(name, {}))
            output, child_state = run_part(
                children[name], place, params.get(name, {}), child_state, *inputs, key=child_key, train=train
            )
            child_state = lifted(child_state, new_state)
            if child_state:
                new_state[name] = child_state
            return output

        return self.connect(call, *xs), new_state

    def build(self, walk: "Walk", key: Array, *xs: Any) -> Built:
        children, params, state = self.children(), {}, {}
        first: dict[str, Built] = {}

        def call(name: str, *inputs: Any, at: str = "") -> Tree:
            own_key = key if walk.collect else fold_in_name(key, name)  # where only shapes matter, any key will do
            built = walk.visit(children[name], at or name, own_key, *inputs, shared=first.get(name))
            if name in first:
                return built[2]
            first[name] = built
            # Layers without parameters or state leave no trace: the trees hold only what exists.
            params.update({name: built[0]} if built[0] else {})
            state.update({name: built[1]} if built[1] else {})
            return built[2]

        output = self.connect(call, *xs)
        return params, state, output


@dataclass(frozen=True)
class Visit:
    """One layer of a model, as the walk met it."""

    path: str
    layer: Layer
    inputs: tuple[Spec, ...]
    output: Tree
    params: Tree
    """Shapes and dtypes of its own parameters; none at the further places of a shared layer."""


@dataclass
class Walk:
    """Visits every layer of a model once, in order, on abstract inputs.

    With `collect`, a layer that fails is written down in `problems` and the walk goes on with a guess of its output, so that
    independent faults are all found in one pass.
    """

    collect: bool = False
    problems: list[Problem] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    known: dict[tuple[Layer, tuple[Spec, ...]], Built] = field(default_factory=dict)
    """With `collect`, the shapes that layers gave for inputs of these shapes: equal ones are traced once."""
    _path: str = ""
    _guessed_after: str = ""

    def visit(self, layer: Layer, name: str, key: Array, *xs: Any, shared: Built | None = None) -> Built:
        """Builds a child called `name` and writes down its shapes, or with `collect` its problems.

        `shared` is what building the same layer gave at its first place, whose parameters it has to do with here.
        """
        outer, self._path = self._path, join_path(self._path, name)
        try:
            expect_inputs(layer, xs)
            built = layer.build(self, key, *xs)
            if shared is not None:
                _expect_same_variables(shared, built)
        except Exception as error:
            if not self.collect:
                raise _placed(error, name) from error
            built = self._recover(layer, error, xs)
        else:
            own = {} if shared is not None else abstract(built[0])
            self.visits.append(Visit(self._path, layer, tuple(map(spec_of, xs)), abstract(built[2]), own))
        finally:
            self._path = outer
        return built

    def report(self, problem: Problem) -> None:
        """Writes down a problem of the layer being visited."""
        cause = problem.cause
        if self._guessed_after:
            cause += f"{FOLLOWS} {self._guessed_after})"
        self.problems.append(Problem(cause, join_path(self._path, problem.place) or MODEL, problem.fix))

    def _recover(self, layer: Layer, error: Exception, xs: tuple[Any, ...]) -> Built:
        for problem in problems_of(error):
            self.report(problem)
        return {}, {}, self.guess(layer, *xs)

    def mark(self) -> tuple[int, int, str]:
        """Where the walk is; `go_back` forgets what has been met since."""
        return len(self.problems), len(self.visits), self._guessed_after

    def go_back(self, mark: tuple[int, int, str]) -> None:
        """Forgets what has been met since that mark."""
        problems, visits, self._guessed_after = mark
        del self.problems[problems:], self.visits[visits:]

    def guess(self, layer: Layer, *xs: Any) -> Tree:
        """A stand-in for the output of a layer that cannot be built; later problems say that they rest on it."""
        self._guessed_after = self._guessed_after or self._path
        return _likely_output(layer, xs)


def _expect_same_variables(shared: Built, built: Built) -> None:
    """Raises `ShapeError` where a layer that runs twice would need other parameters the second time."""
    for first, again in zip(shared[:2], built[:2], strict=True):
        if first and abstract(first) != abstract(again):  # nothing at all: the first place had a problem of its own
            raise ShapeError(
                f"the parameters of the shared layer do not fit this input: {_shapes(first)} there, {_shapes(again)} here",
                fix="give it inputs of the same number of features, or a layer of its own",
            )


def _shapes(tree: Tree) -> str:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return ", ".join(f"{'/'.join(str(key.key) for key in path)} {tuple(leaf.shape)}" for path, leaf in leaves)


def _likely_output(layer: Layer, xs: tuple[Any, ...]) -> Tree:
    """What a broken layer would probably give: its first input, with the channels it names."""
    if not (xs and hasattr(xs[0], "shape")):
        return jnp.zeros(())
    features = getattr(layer, "features", None)
    x = xs[0]
    shape = (*x.shape[:-1], features) if isinstance(features, int) and features > 0 and x.ndim else x.shape
    dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else jnp.float32
    return jnp.zeros(shape, dtype)


def problems_of(error: Exception) -> tuple[Problem, ...]:
    """The problems that an exception stands for, whoever raised it."""
    if isinstance(error, ZerfooError):
        return error.problems
    return (Problem(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"),)


def _placed(error: Exception, name: str) -> ZerfooError:
    kind = type(error) if isinstance(error, ZerfooError) else ShapeError
    return kind([problem.under(name) for problem in problems_of(error)])


class note_path:  # noqa: N801 - used as a statement, like contextlib's own
    """Adds the name of the layer to an exception that passes through (PEP 678), keeping the exception as it is."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            error.add_note(f"in layer {self.name!r}")


def abstract(tree: Tree) -> Tree:
    """The tree with every array replaced by its shape and dtype."""
    return jax.tree.map(spec_of, tree)


@partial(jax.jit, static_argnums=(0, 1))
def _init(layer: Layer, specs: tuple[Spec, ...], key: Array) -> tuple[Params, State]:
    # Compiled as a whole: one program instead of one per parameter, and nothing of the forward pass is computed.
    params, state, _ = layer.build(Walk(), key, *(jnp.zeros(s.shape, s.dtype) for s in specs))
    return params, state


def expect_layer(given: object) -> None:
    """Raises `ConfigError` for what is no layer."""
    if not isinstance(given, Layer):
        raise ConfigError(f"{brief(given)} is no layer", fix="make one; of a class of nodes, use its `model`")


def walk(layer: Layer, *specs: Spec) -> Walk:
    """Checks a whole model on inputs of these shapes, without allocating any array; see `Walk`.

    Raises `ConfigError` for what is no layer.
    """
    expect_layer(layer)
    result = Walk(collect=True)
    params: Params = {}

    def trace(key: Array, *xs: Any) -> Tree:
        try:
            expect_inputs(layer, xs)
            own, _, output = layer.build(result, key, *xs)
        except Exception as error:
            for problem in problems_of(error):
                result.report(problem)
            return ()
        params.update(abstract(own))
        return output

    output = jax.eval_shape(trace, jax.random.key(0), *specs)
    result.visits.append(Visit("", layer, specs, output, params))
    return result


def check(layer: Layer, *specs: Spec) -> Tree:
    """The output spec of a model; raises one `ShapeError` that lists every problem with its node path.

    >>> from zerfoo_jax.layers import Dense, Sequential
    >>> check(Sequential((Dense(8), Dense(3))), jax.ShapeDtypeStruct((5, 4), jnp.float32))
    ShapeDtypeStruct(shape=(5, 3), dtype=float32)
    """
    result = walk(layer, *specs)
    if result.problems:
        raise ShapeError(result.problems)
    return result.visits[-1].output
