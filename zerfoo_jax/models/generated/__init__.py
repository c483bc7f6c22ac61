"""Architectures drawn from a space of grids: LOOM's generator, as plain data that may be drawn, changed and crossed.

A `Space` says what there is to choose from, a `Genome` is one choice, `to_model` its graph.
"""

from zerfoo_jax.models.generated.crossover import crossover as crossover
from zerfoo_jax.models.generated.genome import Genome as Genome
from zerfoo_jax.models.generated.model import generated as generated
from zerfoo_jax.models.generated.model import to_model as to_model
from zerfoo_jax.models.generated.mutation import mutate as mutate
from zerfoo_jax.models.generated.sample import sample as sample
from zerfoo_jax.models.generated.space import Space as Space
from zerfoo_jax.models.generated.space import space_from as space_from
