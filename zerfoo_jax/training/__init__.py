"""Training: one pytree of state, one compiled step."""

from zerfoo_jax.training.activity import make_activity_step as make_activity_step
from zerfoo_jax.training.averaging import stochastic_weight_averaging as stochastic_weight_averaging
from zerfoo_jax.training.state import TrainState as TrainState
from zerfoo_jax.training.step import make_eval_step as make_eval_step
from zerfoo_jax.training.step import make_train_step as make_train_step
