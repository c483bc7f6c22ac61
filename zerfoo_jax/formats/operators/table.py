"""Which function runs an operator, by domain, name and version."""

from collections.abc import Callable, Mapping
import re
from types import ModuleType
from typing import Any

from zerfoo_jax.core.errors import FormatError, nearest
from zerfoo_jax.formats.operators.families import FAMILIES

Function = Callable[..., Any]

_NAME = re.compile(r"([A-Z][A-Za-z0-9]*?)(?:_(\d+))?")


def _operators(module: ModuleType) -> list[tuple[str, int, Function]]:
    """Name, first version and function of each operator in a family's file."""
    found = ((_NAME.fullmatch(name), value) for name, value in vars(module).items())
    return [
        (match[1], int(match[2] or 1), value)
        for match, value in found
        if match and getattr(value, "__module__", None) == module.__name__ and not isinstance(value, type)
    ]


def _read() -> dict[str, dict[str, dict[int, Function]]]:
    """The functions of all families. A family of another domain than ONNX's own names it as `DOMAIN`."""
    table: dict[str, dict[str, dict[int, Function]]] = {}
    for family in FAMILIES:
        for name, since, function in _operators(family):
            table.setdefault(getattr(family, "DOMAIN", ""), {}).setdefault(name, {})[since] = function
    return table


OPERATORS: Mapping[str, Mapping[str, Mapping[int, Function]]] = _read()
"""Functions by domain, operator and the version from which they hold."""


def function_of(op_type: str, domain: str, version: int) -> Function:
    """The function that runs an operator in a version of its domain; `FormatError` where there is none."""
    domain = "" if domain == "ai.onnx" else domain
    versions = OPERATORS.get(domain, {}).get(op_type, {})
    fitting = [since for since in versions if since <= version]
    if not fitting:
        known = OPERATORS.get(domain, {})
        where = f" of domain {domain!r}" if domain else ""
        raise FormatError(f"operator {op_type}{where} in version {version} is not supported", fix=nearest(op_type, known))
    return versions[max(fitting)]
