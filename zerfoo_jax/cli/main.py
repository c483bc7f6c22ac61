"""The `zerfoo` command: its verbs, and how errors become words and exit codes."""

from collections.abc import Callable
import functools
import logging
import os
import sys
from typing import Annotated, Any

import typer

import zerfoo_jax
from zerfoo_jax.cli.check import check
from zerfoo_jax.cli.codegen import codegen
from zerfoo_jax.cli.convert import convert
from zerfoo_jax.cli.describe import describe
from zerfoo_jax.cli.doctor import doctor
from zerfoo_jax.cli.draw import draw
from zerfoo_jax.cli.eval import evaluate
from zerfoo_jax.cli.export import export
from zerfoo_jax.cli.init import init
from zerfoo_jax.cli.inspect import inspect
from zerfoo_jax.cli.layers import layers
from zerfoo_jax.cli.plot import plot
from zerfoo_jax.cli.predict import predict
from zerfoo_jax.cli.quantize import quantize
from zerfoo_jax.cli.search import search
from zerfoo_jax.cli.train import train
from zerfoo_jax.core.errors import ConfigError, DivergedError, ZerfooError
from zerfoo_jax.experiment import outcome

VERBS: dict[str, Callable[..., Any]] = {
    "train": train,
    "search": search,
    "eval": evaluate,
    "predict": predict,
    "check": check,
    "plot": plot,
    "export": export,
    "convert": convert,
    "quantize": quantize,
    "codegen": codegen,
    "inspect": inspect,
    "draw": draw,
    "init": init,
    "layers": layers,
    "describe": describe,
    "doctor": doctor,
}

app = typer.Typer(
    help="Train and use models on JAX, from config files. `zerfoo VERB --help` explains a verb.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"zerfoo {zerfoo_jax.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options of the command itself."""


def exit_code_of(error: ZerfooError) -> int:
    """The exit code that an error stands for."""
    if isinstance(error, ConfigError):
        return outcome.CONFIG
    return outcome.DIVERGED if isinstance(error, DivergedError) else outcome.FAILED


def reporting(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The verb with errors turned into three lines and an exit code; ZERFOO_DEBUG=1 shows the whole traceback instead."""

    @functools.wraps(verb)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            code = verb(*arguments, **options)
        except ZerfooError as error:
            if os.environ.get("ZERFOO_DEBUG"):
                raise
            print(f"error: {error}", file=sys.stderr)
            code = exit_code_of(error)
        except KeyboardInterrupt:
            code = outcome.INTERRUPTED
        raise typer.Exit(code or outcome.DONE)

    return run


for name, verb in VERBS.items():
    app.command(name)(reporting(verb))


def main() -> None:
    """Entry point of the `zerfoo` command."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    app()


if __name__ == "__main__":
    main()
