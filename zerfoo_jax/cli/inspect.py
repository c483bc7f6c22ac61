"""`zerfoo inspect`: the layers of any model, and what they cost."""

import json
from pathlib import Path
import sys
from typing import Annotated

import typer

from zerfoo_jax.cli.arguments import InputOptions, JsonOption, ModelArgument, OverrideArguments
from zerfoo_jax.cli.model_file import show_file

WIDTH = 140
"""Of the table where there is no terminal, in letters."""


def inspect(
    model: ModelArgument,
    overrides: OverrideArguments = None,
    inputs: InputOptions = None,
    as_json: JsonOption = False,
    depth: Annotated[int | None, typer.Option(min=1, help="Show groups only down to this depth, with what is in them.")] = None,
) -> None:
    """List a model's layers with output shapes, parameters, bytes and floating-point operations. Allocates nothing.

    Of a model file (ONNX, ZMF, safetensors, ...) list what is in it: operators or layers, arrays, versions and metadata.
    """
    if Path(model).is_file():
        from zerfoo_jax.formats import detect_if_known

        known = detect_if_known(Path(model))
        if known is not None:
            show_file(known.call("summarize", Path(model)), as_json)
            return

    from zerfoo_jax.experiment.model_source import open_model
    from zerfoo_jax.graph.views.inspection import inspected
    from zerfoo_jax.graph.views.outline import outline

    opened = open_model(model, overrides or [], inputs or [])
    found = outline(opened.model, *opened.specs, name=opened.name)
    said = inspected(found, depth)
    if as_json:
        print(json.dumps(said, indent=2))
        return

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from zerfoo_jax.graph.views.drawing.text import quantity

    numbers = [Column(name, justify="right", no_wrap=True) for name in ("parameters", "bytes", "FLOP")]
    table = Table(Column("path", overflow="fold"), "layer", "output", *numbers, title=escape(opened.name))
    for layer in said["layers"]:
        kind = layer["layer"] + (f" × {layer['copies']}" if "copies" in layer else "")
        kind += f" of {layer['shared_with']}" if "shared_with" in layer else ""
        outputs = ", ".join(str(tuple(output["shape"])) for output in layer["outputs"])
        costs = (quantity(layer[name]) for name in ("parameter_bytes", "operations"))
        table.add_row(escape(layer["path"]), escape(kind), outputs, f"{layer['parameters']:,}", *costs)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
    print(f"inputs           {', '.join(f'{spec.dtype} {tuple(spec.shape)}' for spec in opened.specs)}")
    print(f"parameters       {said['parameters']:,} ({said['parameter_bytes'] / 2**20:.1f} MiB)")
    print(f"state            {said['state']:,} ({said['state_bytes'] / 2**20:.1f} MiB), not trained")
    print(f"FLOP per example {said['operations_per_example']:,}")
