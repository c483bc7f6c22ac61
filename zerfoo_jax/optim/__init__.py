"""Optimizers and schedules: the project's only door to optax. Adding one: a function, and a line in its table."""

from zerfoo_jax.optim.optimizers import OPTIMIZERS as OPTIMIZERS
from zerfoo_jax.optim.optimizers import Optimizer as Optimizer
from zerfoo_jax.optim.optimizers import adam as adam
from zerfoo_jax.optim.optimizers import adamw as adamw
from zerfoo_jax.optim.optimizers import clipped as clipped
from zerfoo_jax.optim.optimizers import sgd as sgd
from zerfoo_jax.optim.schedules import SCHEDULES as SCHEDULES
from zerfoo_jax.optim.schedules import Schedule as Schedule
from zerfoo_jax.optim.schedules import constant as constant
from zerfoo_jax.optim.schedules import cosine as cosine
from zerfoo_jax.optim.schedules import linear as linear
