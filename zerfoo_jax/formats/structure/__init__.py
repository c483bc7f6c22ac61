"""Tensors without a model: what layers they are probably of, by their names and shapes."""

from zerfoo_jax.formats.structure.families import Family as Family
from zerfoo_jax.formats.structure.infer import infer_structure as infer_structure
from zerfoo_jax.formats.structure.module import Module as Module
from zerfoo_jax.formats.structure.proposal import Proposal as Proposal
