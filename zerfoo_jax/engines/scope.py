"""A jaxpr and where it stands: what its equations are called, in which pass they are, and how long their results are needed."""

from collections.abc import Hashable
from functools import cached_property
from typing import Any, Literal, NamedTuple

from jax.extend import core as jex

from zerfoo_jax.engines.bodies import bodies
from zerfoo_jax.engines.names import is_transposed, layer_names, source_line

Phase = Literal["forward", "backward", "update"]
"""The pass an operation belongs to. Derivatives that only the backward pass uses belong to it, wherever they are computed;
`update` is what is made of gradients outside of the differentiated function, such as an optimizer's step, and what only that
uses outside of layers, such as the learning rate."""


class Scope:
    """One jaxpr, inside the equation number `at` of an `outer` one. It is made once and serves all runs and iterations."""

    def __init__(self, jaxpr: Any, outer: "Scope | None" = None, at: int = 0):
        self.jaxpr, self.outer, self.at = jaxpr, outer, at
        self._inside: dict[Hashable, Scope] = {}

    def inside(self, number: int, which: int = 0) -> "Scope":
        """The scope of the jaxpr in equation `number`; `which` of them where it holds several."""
        if (number, which) not in self._inside:
            jaxpr, _ = bodies(self.jaxpr.eqns[number])[which]
            self._inside[number, which] = Scope(jaxpr, self, number)
        return self._inside[number, which]

    @cached_property
    def _stacks(self) -> list[str]:
        return [str(equation.source_info.name_stack) for equation in self.jaxpr.eqns]

    @cached_property
    def _names(self) -> list[tuple[str, ...]]:
        return [layer_names(stack) for stack in self._stacks]

    def names(self, number: int, indices: tuple[int | None, ...] = ()) -> tuple[str, ...]:
        """The layers around an equation, outermost first. Without `indices` the iterations of loops are not told apart."""
        names, marks = self._marked(number, indices)
        return (*names[:-1], (names[-1] if names else "") + marks) if marks else names

    def _marked(self, number: int, indices: tuple[int | None, ...]) -> tuple[tuple[str, ...], str]:
        """The names, and the iterations that still wait for a name inside to stand at."""
        own = self._names[number]
        if self.outer is None:
            return own, ""
        around, marks = self.outer._marked(self.at, indices[:-1])
        marks += f"[{indices[-1]}]" if indices and indices[-1] is not None else ""
        return ((*around, own[0] + marks, *own[1:]), "") if own else (around, marks)

    @cached_property
    def sources(self) -> list[str]:
        """The line of code of each equation."""
        call = self.outer.sources[self.at] if self.outer else ""
        return [source_line(equation) or call for equation in self.jaxpr.eqns]

    @cached_property
    def last_uses(self) -> list[set[Any]]:
        """The variables that no equation behind each one uses."""
        needed = {v for v in self.jaxpr.outvars if not isinstance(v, jex.Literal)}
        freed: list[set[Any]] = []
        for equation in reversed(self.jaxpr.eqns):
            freed.append((_variables(equation.invars) | set(equation.outvars)) - needed)
            needed |= _variables(equation.invars)
        return freed[::-1]

    @property
    def phases(self) -> list[Phase]:
        """The pass of each equation."""
        return self._analysed[0]

    @property
    def late(self) -> list[bool]:
        """Which results of the jaxpr do not come out of the forward pass."""
        made_late = self._analysed[2]
        return [not isinstance(v, jex.Literal) and v in made_late for v in self.jaxpr.outvars]

    @cached_property
    def _analysed(self) -> tuple[list[Phase], set[Any], set[Any]]:
        """Phases, variables that only the backward pass uses, and variables that are made in it or after it."""
        equations = self.jaxpr.eqns
        around: Phase = self.outer.phases[self.at] if self.outer else "forward"
        if around != "forward":
            return [around] * len(equations), set(), {v for equation in equations for v in equation.outvars}
        shown, used = self._results()
        phases: list[Phase] = ["forward"] * len(equations)
        for number in reversed(range(len(equations))):
            equation = equations[number]
            results, inputs = set(equation.outvars), _variables(equation.invars)
            if is_transposed(self._stacks[number]) or (results & used and not results & shown):
                phases[number] = "backward"
            else:
                shown |= inputs
            used |= inputs
        # The scopes inside look at these while the results that they make late are not known yet.
        self.__dict__["_analysed"] = (phases, used - shown, set())
        late = self._after_backward(phases)
        self._before_update(phases)
        return phases, used - shown, late

    def _after_backward(self, phases: list[Phase]) -> set[Any]:
        late: set[Any] = set()
        for number, equation in enumerate(self.jaxpr.eqns):
            if phases[number] == "forward" and late & _variables(equation.invars):
                phases[number] = "update"
            if phases[number] != "forward":
                late.update(equation.outvars)
                continue
            for which in range(len(bodies(equation))):
                inner = self.inside(number, which)
                if len(inner.jaxpr.outvars) == len(equation.outvars):
                    late.update(v for v, is_late in zip(equation.outvars, inner.late, strict=True) if is_late)
        return late

    def _before_update(self, phases: list[Phase]) -> None:
        """Counts to the update what only the update uses, outside of layers."""
        by_update: set[Any] = set()
        by_others = _variables(self.jaxpr.outvars)
        for number, equation in reversed(list(enumerate(self.jaxpr.eqns))):
            results = set(equation.outvars)
            only_updates = results & by_update and not results & by_others
            if phases[number] == "forward" and only_updates and not self.names(number):
                phases[number] = "update"
                for which in range(len(bodies(equation))):
                    self.inside(number, which)._forget_phases()
            (by_update if phases[number] == "update" else by_others).update(_variables(equation.invars))

    def _forget_phases(self) -> None:
        self.__dict__.pop("_analysed", None)
        for inner in self._inside.values():
            inner._forget_phases()

    def _results(self) -> tuple[set[Any], set[Any]]:
        """The results of the jaxpr that the forward pass uses, and all of its results that only the backward pass does."""
        own = self.jaxpr.outvars
        hidden = [False] * len(own)
        if self.outer:
            outside = self.outer.jaxpr.eqns[self.at].outvars
            hidden = [v in self.outer._analysed[1] for v in outside] if len(outside) == len(own) else hidden
        named = [(v, h) for v, h in zip(own, hidden, strict=True) if not isinstance(v, jex.Literal)]
        return {v for v, h in named if not h}, {v for v, h in named if h}


class Place(NamedTuple):
    """A scope in one run of it: `indices` says for each scope from the second on which iteration it is, None in no loop."""

    scope: Scope
    indices: tuple[int | None, ...] = ()

    def inside(self, number: int, which: int = 0, index: int | None = None) -> "Place":
        """The place of the jaxpr in equation `number`, in iteration `index` of a loop."""
        return Place(self.scope.inside(number, which), (*self.indices, index))


def _variables(atoms: Any) -> set[Any]:
    return {v for v in atoms if not isinstance(v, jex.Literal)}
