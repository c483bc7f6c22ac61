"""L-BFGS: a quasi-Newton method, for small models and whole batches."""

from typing import Annotated

from annotated_types import Gt, Lt
import optax

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.optim.optimizer import Rate, optimizer

Slope = Annotated[float, Gt(0), Lt(1)]


@optimizer
def lbfgs(
    learning_rate: Rate,
    *,
    memory: PositiveInt = 10,
    max_line_search_steps: PositiveInt = 20,
    c1: Slope = 1e-4,
    c2: Slope = 0.9,
) -> optax.GradientTransformation:
    """p <- p - t H g, H an approximate inverse Hessian from the last `memory` steps (Liu & Nocedal, Math. Programming 1989).

    The line search looks for a t that meets the strong Wolfe conditions, f(t) <= f(0) + c1 t f'(0) and |f'(t)| <= c2 |f'(0)|
    (Nocedal & Wright, Numerical Optimization, 3.5), beginning at the learning rate: 1 is the natural one. Each of its steps
    costs a forward and a backward pass of the same batch; with small batches, dropout or float16 the conditions mean little.
    Its update needs the step's `value`, `grad` and `value_fn`, as the training step gives them.

    Raises `ConfigError` for c1 >= c2, which no point need meet.
    """
    if c1 >= c2:
        raise ConfigError(f"lbfgs.c1 = {c1} is not below c2 = {c2}", place="c1", fix="c1 = 1e-4 and c2 = 0.9 are usual")
    search = optax.scale_by_zoom_linesearch(max_line_search_steps, slope_rtol=c1, curv_rtol=c2, initial_guess_strategy="one")
    return optax.chain(optax.scale_by_lbfgs(memory), optax.scale_by_learning_rate(learning_rate), search)
