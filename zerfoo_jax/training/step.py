"""The training step: forward, backward, optimizer, average and metrics as one compiled, donated program."""

from collections.abc import Callable, Mapping
import logging
from typing import Any

import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.errors import ConfigError, Problem
from zerfoo_jax.core.fields import Fraction, PositiveInt, check_value
from zerfoo_jax.core.layer import Layer, abstract
from zerfoo_jax.core.types import Array, Batch, Params, State, Tree
from zerfoo_jax.engines import Engine, engine_of
from zerfoo_jax.metrics.base import Metric
from zerfoo_jax.numeric import Policy, policy, widened
from zerfoo_jax.numeric.scaling import all_finite
from zerfoo_jax.optim import learning_rate_scale
from zerfoo_jax.training.gradients import Loss, Objective, gradients, mean_loss
from zerfoo_jax.training.state import TrainState

Metrics = dict[str, Array]
Decay = float | Callable[[Array], Array]
"""How much of the old average stays at each step: a number, or a function of the step number."""
logger = logging.getLogger(__name__)


def make_train_step(
    model: Layer,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    *,
    metrics: Mapping[str, Metric] | None = None,
    precision: str | Policy = "float32",
    accumulate: int = 1,
    ema_decay: Decay | None = None,
    skip_nonfinite: bool = False,
    engine: str | Mapping[str, Any] | Engine = "xla",
) -> "CompiledStep":
    """A function `(state, batch) -> (state, metrics)`: pure, compiled once by the engine, its input state donated.

    A batch is a mapping of `inputs`, `targets` and optionally `weights` (one number per example; 0 = does not count, though
    its numbers must still be finite). The loss that is minimised and reported is the weighted mean over the batch.
    `accumulate` computes it in that many micro-batches, with the same result unless layers draw random numbers or take
    statistics of the batch. With `skip_nonfinite` (implied by float16) a step whose loss, gradients or results are not all
    finite leaves parameters, average, layer state and optimizer state as they were and reports `skipped` = 1.
    Under a schedule that looks at the loss it reports `learning_rate_scale`, the factor on the schedule's rate.

    Raises `ConfigError` for options out of range and, when it meets the state, for one that was not made for this step.

    >>> from zerfoo_jax.layers import Dense
    >>> from zerfoo_jax.losses import mse
    >>> from zerfoo_jax.optim import sgd
    >>> model, optimizer = Dense(1), sgd(0.1)
    >>> batch = {"inputs": jnp.ones((8, 3)), "targets": jnp.ones((8, 1))}
    >>> state = TrainState.create(model, optimizer, jax.random.key(0), jax.ShapeDtypeStruct((8, 3), jnp.float32))
    >>> step = make_train_step(model, mse, optimizer)
    >>> for _ in range(50):
    ...     state, metrics = step(state, batch)
    >>> float(metrics["loss"]) < 1e-6
    True
    """
    _check(accumulate, ema_decay)
    optimizer = optax.with_extra_args_support(optimizer)
    chosen = policy(precision)
    objective = Objective(model, loss, dict(metrics or {}), chosen)
    guarded = skip_nonfinite or chosen.scales_loss

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        _expect_state_for(state, chosen, ema_decay)
        key = jax.random.fold_in(state.key, state.step)
        scale = None if state.scaler is None else state.scaler.scale
        grads, layer_state, sums = gradients(objective, state.params, state.state, batch, key, scale, accumulate)
        if scale is not None:
            grads = jax.tree.map(lambda g: g / scale.astype(g.dtype), grads)
        values = objective.compute(sums)
        # For optimizers that measure: the loss, its gradient, and the loss at other parameters.
        measured = {
            "value": values["loss"],
            "grad": grads,
            "value_fn": lambda params: mean_loss(objective, params, state.state, batch, key),
        }
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params, **measured)
        params: Any = optax.apply_updates(state.params, updates)
        scale_of_rate = learning_rate_scale(opt_state)
        if scale_of_rate is not None:
            values["learning_rate_scale"] = scale_of_rate
        ema = average(state.ema, params, ema_decay(state.step) if callable(ema_decay) else ema_decay)
        new = {"params": params, "state": layer_state, "opt_state": opt_state, "ema": ema}
        if guarded:
            # The results too: finite gradients overflow where an optimizer squares them, and that would stay for good.
            finite = all_finite((grads, values["loss"], new))
            new = {name: _where(finite, tree, getattr(state, name)) for name, tree in new.items()}
            values["skipped"] = 1.0 - finite.astype(jnp.float32)
            state = state.replace(scaler=state.scaler and state.scaler.adjust(finite))
        return state.replace(step=state.step + 1, **new), values

    return CompiledStep(step, "training step", donate=True, engine=engine_of(engine))


def make_eval_step(
    model: Layer,
    loss: Loss,
    *,
    metrics: Mapping[str, Metric] | None = None,
    precision: str | Policy = "float32",
    engine: str | Mapping[str, Any] | Engine = "xla",
) -> tuple["CompiledStep", Callable[[Tree], Metrics]]:
    """A pair `(step, compute)`: `step(params, state, batch)` gives partial sums, to be added up over batches with
    `metrics.base.add_sums`; `compute(sums)` gives the values."""
    objective = Objective(model, loss, dict(metrics or {}), policy(precision))

    def step(params: Params, state: State, batch: Batch) -> Tree:
        outputs, _ = objective.run(params, state, batch, None, train=False)
        return objective.sums(outputs, batch)

    return CompiledStep(step, "evaluation step", donate=False, engine=engine_of(engine)), objective.compute


def _check(accumulate: int, ema_decay: Decay | None) -> None:
    decay = 0.0 if ema_decay is None or callable(ema_decay) else ema_decay
    problems = [
        Problem(f"{name} = {value!r}: {complaint}", name)
        for name, hint, value in (("accumulate", PositiveInt, accumulate), ("ema_decay", Fraction, decay))
        if (complaint := check_value(hint, value)[1])
    ]
    if problems:
        raise ConfigError(problems)


def _expect_state_for(state: TrainState, precision: Policy, ema_decay: Decay | None) -> None:
    """An average that no step updates, or a loss scale that none adjusts, would go unnoticed for a whole run."""
    if (state.ema is None) != (ema_decay is None):
        has, sets = ("no", "is") if state.ema is None else ("an", "is not")
        raise ConfigError(f"ema_decay {sets} set but the state has {has} average", fix="TrainState.create(..., ema=...)")
    if (state.scaler is None) == precision.scales_loss:
        has = "no" if state.scaler is None else "a"
        raise ConfigError(
            f"the state has {has} loss scale, which does not fit the step's precision",
            fix="give TrainState.create and make_train_step the same precision",
        )


def average(ema: Params | None, params: Params, decay: Array | float | None) -> Params | None:
    """The exponential moving average: decay · ema + (1 - decay) · params; None without an average or a decay."""
    if ema is None or decay is None:
        return None

    def one(e: Array, p: Array) -> Array:
        return (decay * widened(e) + (1 - decay) * widened(p)).astype(e.dtype)

    return jax.tree.map(one, ema, params)


def _where(condition: Array, new: Tree, old: Tree) -> Tree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


class CompiledStep:
    """A function compiled by an engine. It counts its compilations and, from the third, says which argument changed.

    A step that compiles again and again is the usual reason of a slow run: mostly batches of changing shape.
    """

    def __init__(self, function: Callable[..., Any], name: str, *, donate: bool, engine: Engine):
        self.compilations = 0
        self._name = name
        self._seen: Tree = None

        def traced(*arguments: Tree) -> Any:
            self.compilations += 1  # runs when JAX traces, that is once per compilation
            self._explain(abstract(arguments))
            return function(*arguments)

        traced.__name__ = name.replace(" ", "_")  # as profiles and the debug engine's records show it
        self._donate = (0,) if donate else ()
        self._function = traced
        self._run = engine.compile(traced, donate=self._donate)

    def __call__(self, *arguments: Tree) -> Any:
        return self._run(*arguments)

    def lower(self, *arguments: Tree) -> jax.stages.Lowered:
        """XLA's program for arrays or specs of these shapes, not yet compiled; for memory and FLOP figures."""
        return jax.jit(self._function, donate_argnums=self._donate).lower(*arguments)

    def _explain(self, arguments: Tree) -> None:
        if self.compilations >= 3:
            logger.warning(
                "the %s is being compiled again (compilation %d): %s",
                self._name,
                self.compilations,
                _changes(self._seen, arguments),
            )
        self._seen = arguments


def _changes(old: Tree, new: Tree) -> str:
    before = {jax.tree_util.keystr(path): spec for path, spec in jax.tree_util.tree_leaves_with_path(old)}
    after = {jax.tree_util.keystr(path): spec for path, spec in jax.tree_util.tree_leaves_with_path(new)}
    changed = [
        f"{path} was {_words(before.get(path))}, is {_words(after.get(path))}"
        for path in sorted(before | after)
        if before.get(path) != after.get(path)
    ]
    return "; ".join(changed[:3]) or "no shape or dtype changed (a Python value or a sharding did)"


def _words(spec: Any) -> str:
    return "absent" if spec is None else f"{spec.dtype}{spec.shape}"
