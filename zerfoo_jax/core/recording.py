"""What the layers of a model give while it runs, beside its output.

Nothing is computed unless a function made by `recorded` is running. Then each part that a composite layer runs leaves wanted
arrays in the state that it returns, under a key of their own: so they pass through scans, checkpoints and maps like any
other state, a scan stacks them by itself, and at the end they are taken out again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, Problem, join_path, nearest
from zerfoo_jax.core.patterns import matches
from zerfoo_jax.core.types import Array, Params, State, Tree

RECORDS = "/records"
"""The key in a state; no part can have this name."""
SUMMARY = ("mean", "std", "min", "max", "nonfinite", "zeros")
"""What the numbers of a summary are: `nonfinite` is a count, `zeros` a fraction."""
Activity = dict[str, Array]


def summary_of(x: Array) -> Array:
    """The numbers `SUMMARY` of all elements of an array, in float32: (6,). All but the count are NaN if there is none.

    >>> dict(zip(SUMMARY, summary_of(jnp.array([0.0, 2.0, 0.0, 2.0])).tolist()))
    {'mean': 1.0, 'std': 1.0, 'min': 0.0, 'max': 2.0, 'nonfinite': 0.0, 'zeros': 0.5}
    """
    x = lax.stop_gradient(x).astype(jnp.float32)
    if not x.size:
        return jnp.full((len(SUMMARY),), jnp.nan).at[SUMMARY.index("nonfinite")].set(0.0)
    nonfinite = jnp.sum(~jnp.isfinite(x), dtype=jnp.float32)
    zeros = jnp.sum(x == 0, dtype=jnp.float32) / x.size
    return jnp.stack([jnp.mean(x), jnp.std(x), jnp.min(x), jnp.max(x), nonfinite, zeros])


@dataclass(frozen=True)
class _Recording:
    patterns: tuple[str, ...]
    measure: Callable[[Array], Array]
    path: str = ""
    seen: dict[str, bool] = field(default_factory=dict)
    """Every path that was run, and whether it was wanted; common to all places."""

    def wants(self, path: str) -> bool:
        return any(matches(path.split("/"), pattern.split("/")) for pattern in self.patterns)

    def of(self, output: Tree) -> Activity:
        self.seen[self.path] = self.wants(self.path)
        if not self.seen[self.path]:
            return {}
        several = isinstance(output, tuple)
        named = {f"{self.path}:{i}": x for i, x in enumerate(output)} if several else {self.path: output}
        return {name: self.measure(x) for name, x in named.items() if isinstance(x, jax.Array)}

    def expect_matches(self) -> None:
        """Raises `ConfigError` for patterns that none of the paths match."""
        problems = [
            Problem(f"nodes: no node matches {pattern!r}", "", nearest(pattern, self.seen))
            for pattern in self.patterns
            if not any(matches(path.split("/"), pattern.split("/")) for path in self.seen)
        ]
        if problems:
            raise ConfigError(problems)


_current: ContextVar[_Recording | None] = ContextVar("recording", default=None)


@contextmanager
def at(place: str) -> Iterator[Callable[[Tree, State], State]]:
    """While a part runs: gives what adds the records of its output to its new state."""
    outer = _current.get()
    if outer is None:
        yield lambda output, state: state
        return
    here = replace(outer, path=join_path(outer.path, place))
    token = _current.set(here)
    try:
        yield lambda output, state: _with(state, here.of(output))
    finally:
        _current.reset(token)


def _with(state: State, records: Activity) -> State:
    return {**state, RECORDS: {**state.get(RECORDS, {}), **records}} if records else state


def lifted(state: State, into: dict[str, Any]) -> State:
    """A part's state without its records, which go over to the state of the layer that it is part of.

    For layers that run a part twice: what a state is given to must not take it for its own.
    """
    if RECORDS not in state:
        return state
    into[RECORDS] = {**into.get(RECORDS, {}), **state[RECORDS]}
    return {name: part for name, part in state.items() if name != RECORDS}


def recorded(
    model: Any, nodes: str | Sequence[str] = "**", what: Literal["summary", "values"] = "summary"
) -> Callable[..., tuple[Tree, State, Activity]]:
    """The model as a function `(params, state, *xs, key=None, train=False) -> (output, state, activity)`.

    `activity` holds what the nodes that a pattern matches give, by path: `values` as they are, or a `summary_of` each, (6,).
    A path is the names of the parts to it joined by `/`, as in errors, such as `stack_0/block/attention`; the inside of a
    `Stack` has a leading axis of its blocks. Several outputs of a node are `split:0`, `split:1`. In a pattern `*` stands for
    any part of a name and `**` for any number of names. Pure like the model itself: it can be compiled, differentiated
    (summaries have no gradient) and mapped. A summary reads its array several times: those of all nodes of a small
    convolutional network take a fifth of its training step on a CPU, so look at every twentieth step or so. Raises
    `ConfigError` for a pattern that matches nothing, with the nearest paths.

    >>> from zerfoo_jax.layers import Activation, Dense, Sequential
    >>> model = Sequential((Dense(3), Activation("relu")))
    >>> params, state = model.init(jax.random.key(0), jnp.ones((1, 4)))
    >>> _, _, activity = recorded(model, "activation_*", "values")(params, state, jnp.ones((2, 4)))
    >>> jax.tree.map(jnp.shape, activity)
    {'activation_0': (2, 3)}
    """
    patterns = (nodes,) if isinstance(nodes, str) else tuple(nodes)

    def run(params: Params, state: State, *xs: Any, key: Array | None = None, train: bool = False) -> Any:
        recording = _Recording(patterns, summary_of if what == "summary" else lambda x: x)
        token = _current.set(recording)
        try:
            output, new_state = model.apply(params, state, *xs, key=key, train=train)
        finally:
            _current.reset(token)
        recording.expect_matches()
        activity: Activity = {}
        return output, _taken(new_state, activity), activity

    return run


def _taken(state: Any, into: Activity) -> Any:
    """The state without records, which go into a dict; also those that a layer has put away with the state of its part."""
    if not isinstance(state, Mapping):
        return state
    into.update(state.get(RECORDS, {}))
    left = {name: _taken(part, into) for name, part in state.items() if name != RECORDS}
    return {name: part for name, part in left.items() if not isinstance(part, Mapping) or part}  # nothing but records: no state
