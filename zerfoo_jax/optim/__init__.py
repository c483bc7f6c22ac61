"""Optimizers and schedules: the project's only door to optax. Adding one: a function, and a line in its table.

The files of optimizers build on optimizer -> checked, leaves, plateau; those of schedules on schedule -> checked. clipping,
penalty, lookahead and groups wrap an optimizer; evaluation finds the averages that some keep.
"""

from collections.abc import Callable

from zerfoo_jax.optim.adafactor import adafactor as adafactor
from zerfoo_jax.optim.adagrad import adadelta as adadelta
from zerfoo_jax.optim.adagrad import adagrad as adagrad
from zerfoo_jax.optim.adagrad import rmsprop as rmsprop
from zerfoo_jax.optim.adam import adam as adam
from zerfoo_jax.optim.adam import adamw as adamw
from zerfoo_jax.optim.adam import amsgrad as amsgrad
from zerfoo_jax.optim.adam import nadam as nadam
from zerfoo_jax.optim.clipping import clipped as clipped
from zerfoo_jax.optim.clipping import clipped_adaptively as clipped_adaptively
from zerfoo_jax.optim.clipping import clipped_by_value as clipped_by_value
from zerfoo_jax.optim.evaluation import evaluation_params as evaluation_params
from zerfoo_jax.optim.groups import grouped as grouped
from zerfoo_jax.optim.layerwise import lamb as lamb
from zerfoo_jax.optim.layerwise import lars as lars
from zerfoo_jax.optim.lbfgs import lbfgs as lbfgs
from zerfoo_jax.optim.lion import lion as lion
from zerfoo_jax.optim.lookahead import lookahead as lookahead
from zerfoo_jax.optim.muon import muon as muon
from zerfoo_jax.optim.optimizer import Optimizer as Optimizer
from zerfoo_jax.optim.penalty import penalized as penalized
from zerfoo_jax.optim.plateau import learning_rate_scale as learning_rate_scale
from zerfoo_jax.optim.plateau import reduce_on_plateau as reduce_on_plateau
from zerfoo_jax.optim.schedule import Schedule as Schedule
from zerfoo_jax.optim.schedule_free import schedule_free as schedule_free
from zerfoo_jax.optim.schedules import constant as constant
from zerfoo_jax.optim.schedules import cosine as cosine
from zerfoo_jax.optim.schedules import exponential as exponential
from zerfoo_jax.optim.schedules import inverse_sqrt as inverse_sqrt
from zerfoo_jax.optim.schedules import linear as linear
from zerfoo_jax.optim.schedules import polynomial as polynomial
from zerfoo_jax.optim.sgd import sgd as sgd
from zerfoo_jax.optim.stepped import cosine_restarts as cosine_restarts
from zerfoo_jax.optim.stepped import multi_step as multi_step
from zerfoo_jax.optim.stepped import one_cycle as one_cycle
from zerfoo_jax.optim.stepped import step as step

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adadelta": adadelta,
    "adafactor": adafactor,
    "adagrad": adagrad,
    "adam": adam,
    "adamw": adamw,
    "amsgrad": amsgrad,
    "lamb": lamb,
    "lars": lars,
    "lbfgs": lbfgs,
    "lion": lion,
    "muon": muon,
    "nadam": nadam,
    "rmsprop": rmsprop,
    "schedule_free": schedule_free,
    "sgd": sgd,
}
SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": constant,
    "cosine": cosine,
    "cosine_restarts": cosine_restarts,
    "exponential": exponential,
    "inverse_sqrt": inverse_sqrt,
    "linear": linear,
    "multi_step": multi_step,
    "one_cycle": one_cycle,
    "polynomial": polynomial,
    "reduce_on_plateau": reduce_on_plateau,
    "step": step,
}
