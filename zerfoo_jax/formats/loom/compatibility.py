"""The option that says whose numbers a LOOM file is to give."""

from typing import Literal

from zerfoo_jax.core.errors import ConfigError, nearest

Compatibility = Literal["loom"]
"""`loom`: what LOOM computes with the file, its faults included."""


def is_loom(compatibility: Compatibility | None) -> bool:
    """Whether LOOM's own faults are wanted; `ConfigError` for an option that does not exist."""
    if compatibility not in (None, "loom"):
        raise ConfigError(
            f"unknown compatibility {compatibility!r}", place="compatibility", fix=nearest(compatibility, ["loom"])
        )
    return compatibility is not None
