"""What `zerfoo inspect` shows of a model file."""

from collections.abc import Iterable
from dataclasses import asdict
import json
import sys
from typing import Any

WIDTH = 140
"""Of the tables where there is no terminal, in letters."""


def show_file(summary: Any, as_json: bool) -> None:
    """Prints a `formats.Summary`."""
    if as_json:
        print(json.dumps(asdict(summary), indent=2, default=str))
        return
    print(f"format            {summary.format}")
    for name, value in summary.facts.items():
        print(f"{name:<17} {_brief(value)}")
    for name, values in ("inputs", summary.inputs), ("outputs", summary.outputs):
        if values:
            print(f"{name:<17} {', '.join(values)}")
    if summary.nodes:
        rows = ((n.name, n.kind, ", ".join(n.inputs), ", ".join(n.outputs), _attributes(n.attributes)) for n in summary.nodes)
        _table(f"{len(summary.nodes)} nodes", ("name", "kind", "inputs", "outputs", "attributes"), rows)
    if summary.tensors:
        tensors = ((t.name, t.dtype, str(tuple(t.shape)), f"{t.bytes:,}") for t in summary.tensors)
        total = sum(tensor.bytes for tensor in summary.tensors)
        _table(f"{len(summary.tensors)} arrays, {total:,} bytes", ("name", "dtype", "shape", "bytes"), tensors)


def _table(title: str, names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table(*(Column(name, overflow="fold") for name in names), title=title)
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


def _attributes(attributes: Any) -> str:
    return ", ".join(f"{name}={_brief(value)}" for name, value in attributes.items())


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
