"""`zerfoo quantize`: a run's model on codes of few bits."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from zerfoo_jax.cli.arguments import BestOption, JsonOption, RunArgument, StepOption


def quantize(
    run: RunArgument,
    to: Annotated[Literal["int8", "uint8", "int4", "float8"], typer.Option(help="The dtype of the codes.")] = "int8",
    weight_only: Annotated[bool, typer.Option("--weight-only", help="Leave activations alone; int4 always does.")] = False,
    calibrate: Annotated[
        Literal["data", "none"], typer.Option(help="Ranges of activations from training batches, or each input's own.")
    ] = "data",
    method: Annotated[Literal["minmax", "percentile", "entropy"], typer.Option(help="How ranges are found.")] = "minmax",
    block: Annotated[int | None, typer.Option(help="So many weights of a channel share a scale; with --weight-only.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The model file to write, of any format.")] = None,
    step: StepOption = None,
    best: BestOption = False,
    as_json: JsonOption = False,
) -> None:
    """Quantise a run's model, and score it on the validation data before and after."""
    from zerfoo_jax.experiment.quantize import as_record, quantize_run
    from zerfoo_jax.experiment.runtime import enable_compilation_cache
    from zerfoo_jax.formats import format_to_write, save

    if output:
        format_to_write(output)  # a name that says no format is refused before the work
    enable_compilation_cache()
    before, after = quantize_run(
        run,
        to="float8_e4m3fn" if to == "float8" else to,
        weight_only=weight_only or to == "int4",
        calibrate=calibrate == "data",
        method=method,
        block=block,
        step=step,
        best=best,
    )
    record = as_record(before, after)
    if output:
        save(after.network, output)
    if as_json:
        print(json.dumps(record))
        return
    for name, pair in record.items():
        digits = "," if name == "bytes" else ".4f"
        print(f"{name} {pair['before']:{digits}} -> {pair['after']:{digits}}")
    if output:
        print(output)
