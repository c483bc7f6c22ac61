"""Models of the Hugging Face hub as ours: from a `config.json` to an architecture, from its state dict to parameters.

Nothing is downloaded here: both come as mappings, from wherever they lie.
"""

from zerfoo_jax.models.hugging_face.families import FAMILIES as FAMILIES
from zerfoo_jax.models.hugging_face.families import arguments_of as arguments_of
from zerfoo_jax.models.hugging_face.families import names_of as names_of
from zerfoo_jax.models.hugging_face.families import read_model as read_model
