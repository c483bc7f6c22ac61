"""`zerfoo predict`: uses a trained run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from zerfoo_jax.cli.arguments import BestOption, RunArgument, StepOption


def predict(
    run: RunArgument,
    inputs: Annotated[
        Path | None,
        typer.Option("--input", help="A .npy file of inputs, prepared as for training; default: validation examples."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="A .npy file to write the model's outputs to, one row per example.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="How many validation examples.")] = 5,
    prompt: Annotated[str | None, typer.Option(help="Text for a language model to continue.")] = None,
    tokens: Annotated[int, typer.Option(min=1, help="How many tokens to write behind the prompt.")] = 200,
    temperature: Annotated[float, typer.Option(min=0.0, help="Randomness of the text; 0 takes the likeliest token.")] = 0.7,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the text.")] = 0,
    step: StepOption = None,
    best: BestOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Predict with a trained run: classes, forecasts, or a continued text."""
    from zerfoo_jax.core.errors import ConfigError
    from zerfoo_jax.experiment.predict import continue_text, predictions, read_inputs, save_outputs, validation_rows
    from zerfoo_jax.experiment.runtime import enable_compilation_cache
    from zerfoo_jax.experiment.trained import open_run

    enable_compilation_cache()
    trained = open_run(run, step, best)
    if trained.wired.dataset.kind == "language":
        if inputs is not None:
            raise ConfigError("a language model continues a text, it takes no file of inputs", fix='give --prompt "some text"')
        if prompt is None:
            raise ConfigError("a language model needs something to continue", fix='give --prompt "some text"')
        text = continue_text(trained, prompt, tokens, temperature, seed)
        print(json.dumps({"prompt": prompt, "continuation": text}) if as_json else prompt + text)
        return
    if prompt is not None:
        raise ConfigError(f"this run does {trained.wired.dataset.kind}, it continues no text", fix="leave --prompt away")
    rows, truth, first = validation_rows(trained, examples) if inputs is None else (read_inputs(inputs, trained), None, 0)
    if output is not None:
        save_outputs(output, trained, rows)
    for record in predictions(trained, rows, truth, first):
        print(json.dumps(record) if as_json else "  ".join(f"{name} {value}" for name, value in record.items()))
