"""Checkpoints: a train state to a run folder and back, with every bit accounted for. The only room that knows Orbax.

checkpoints -> folder -> manifest, arrays (Orbax), digest -> leaves; retention, match, files, faults stand alone
"""

from zerfoo_jax.checkpoint.checkpoints import Checkpoints as Checkpoints
from zerfoo_jax.checkpoint.checkpoints import Restored as Restored
from zerfoo_jax.checkpoint.digest import digest as digest
from zerfoo_jax.checkpoint.digest import leaf_digest as leaf_digest
from zerfoo_jax.checkpoint.faults import DamagedError as DamagedError
from zerfoo_jax.checkpoint.faults import UnreadableError as UnreadableError
from zerfoo_jax.checkpoint.retention import Retention as Retention
