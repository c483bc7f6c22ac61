"""Every table of the project, described from the members' own signatures and docstrings."""

from collections.abc import Callable, Mapping
import inspect
from itertools import chain
from typing import Any

from zerfoo_jax.core.documentation import summary
from zerfoo_jax.core.errors import ConfigError, nearest
from zerfoo_jax.core.signatures import describe_signature
from zerfoo_jax.data import DATASETS
from zerfoo_jax.engines import ENGINES
from zerfoo_jax.graph import TABLE
from zerfoo_jax.layers import ACTIVATIONS, COMBINATIONS, INITIALIZERS, LAYERS, SOFTMAX_VARIANTS
from zerfoo_jax.losses import LOSSES
from zerfoo_jax.metrics import METRICS
from zerfoo_jax.models import MODELS
from zerfoo_jax.optim import OPTIMIZERS, SCHEDULES

TABLES: dict[str, Mapping[str, Callable[..., Any]]] = {
    "LAYERS": LAYERS,
    "ACTIVATIONS": ACTIVATIONS,
    "SOFTMAX_VARIANTS": SOFTMAX_VARIANTS,
    "COMBINATIONS": COMBINATIONS,
    "INITIALIZERS": INITIALIZERS,
    "LOSSES": LOSSES,
    "METRICS": METRICS,
    "OPTIMIZERS": OPTIMIZERS,
    "SCHEDULES": SCHEDULES,
    "MODELS": MODELS,
    "DATASETS": DATASETS,
}


def find_members(name: str) -> Mapping[str, Any]:
    """The table of that name, or a table of the one member: `LAYERS`, `Dense`, or `LOSSES.mse` where several tables have one.

    Raises `ConfigError` for a name that is unknown or in several tables.

    >>> list(find_members("METRICS.mse"))
    ['mse']
    """
    tables: dict[str, Mapping[str, Any]] = {**TABLES, "LAYERS": TABLE, "ENGINES": ENGINES}
    table, _, member = name.rpartition(".")
    if name.upper() in tables:
        return tables[name.upper()]
    found = [each for each in tables if member in tables[each] and table.upper() in ("", each)]
    if not found:
        raise ConfigError(f"no table or member {name!r}", fix=nearest(name, {*tables, *chain(*tables.values())}))
    if len(found) > 1:
        raise ConfigError(f"{name!r} is in {' and '.join(found)}", fix=f"write {found[0]}.{name}")
    return {member: tables[found[0]][member]}


def describe_tables() -> dict[str, list[dict[str, str]]]:
    """For each table a list of its members: name, signature, first sentence and whole docstring."""
    return {table: [_describe(name, member) for name, member in sorted(members.items())] for table, members in TABLES.items()}


def library_page() -> str:
    """The page `docs/library.md`: every member of every table with its signature and first sentence, in Markdown."""
    lines = [
        "# Library",
        "",
        "Everything that a config or a program may name. This page is made by `zerfoo layers --markdown > docs/library.md`.",
    ]
    for table, members in describe_tables().items():
        lines += ["", f"## {table}", ""]
        lines += [f"- `{member['name']}{member['signature']}`  \n  {member['summary']}" for member in members]
    return "\n".join(lines) + "\n"


def _describe(name: str, member: Callable[..., Any]) -> dict[str, str]:
    return {
        "name": name,
        "signature": describe_signature(member),
        "summary": summary(member),
        "documentation": inspect.getdoc(member) or "",
    }
