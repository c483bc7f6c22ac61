"""`zerfoo export`: a trained run as a model file."""

from pathlib import Path
from typing import Annotated

import typer

from zerfoo_jax.cli.arguments import BestOption, RunArgument, StepOption
from zerfoo_jax.cli.writing import CheckOption, DtypeOption, OpsetOption, QuantizeOption, write_and_say


def export(
    run: RunArgument,
    to: Annotated[str, typer.Option("--to", help="The format: onnx, safetensors, zmf, loom or stablehlo.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file; else one called `model` in the folder.")
    ] = None,
    step: StepOption = None,
    best: BestOption = False,
    dtype: DtypeOption = None,
    quantize: QuantizeOption = None,
    opset: OpsetOption = None,
    check: CheckOption = False,
) -> None:
    """Write a run's model, as it evaluates, to a file that other programs read."""
    from zerfoo_jax.experiment.model_files import network_of
    from zerfoo_jax.formats import FORMATS, format_to_write

    chosen = format_to_write(run, to)
    chosen.function("write")
    network = network_of(run, step=step, best=best)
    path = output or run / f"model{FORMATS[to].extensions[0]}"
    write_and_say(network, path, {}, format=to, dtype=dtype, quantize=quantize, opset=opset, check=check)
