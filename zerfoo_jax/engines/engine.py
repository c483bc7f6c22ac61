"""What an engine is: a way to run any JAX function on some hardware. A small frozen dataclass, whose fields are its options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import jax

from zerfoo_jax.core.fields import check_fields

Function = Callable[..., Any]
"""A function of pytrees of arrays that gives a pytree of arrays."""


@dataclass(frozen=True)
class Engine:
    """Base of all engines. Frozen, hashable, comparable; constructing one checks its options."""

    def __post_init__(self) -> None:
        check_fields(self)

    def compile(self, function: Function, *, donate: tuple[int, ...] = ()) -> Function:
        """The function as this engine runs it. Arguments whose numbers are in `donate` may be overwritten.

        Differentiation comes first: an engine runs `jax.value_and_grad(f)` as it runs `f`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define compile")

    def writing_to(self, folder: Path) -> "Engine":
        """The engine for a run that keeps its files in `folder`."""
        del folder
        return self

    def describe(self) -> Mapping[str, Any]:
        """What `zerfoo doctor` says of it: its purpose, its devices, whether it reuses donated memory, its options."""
        return {
            "purpose": (type(self).__doc__ or "").strip().splitlines()[0],
            "devices": [str(device) for device in jax.devices()],
            "donation": False,
            "options": [field.name for field in fields(self)],
        }
