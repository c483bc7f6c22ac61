"""What the verbs that write model files share: options, progress, and what they say."""

from collections.abc import Mapping
from pathlib import Path
import sys
from typing import Annotated, Any, Literal

import typer

DtypeOption = Annotated[
    str | None, typer.Option(help="Turn floating-point numbers into this dtype: float64, float32, float16 or bfloat16.")
]
QuantizeOption = Annotated[
    Literal["int8", "int4"] | None,
    typer.Option(help="Write the weights as codes of this dtype, found without data; see `zerfoo quantize` for more."),
]
OpsetOption = Annotated[int | None, typer.Option(help="The version of ONNX's operators to write.")]
CheckOption = Annotated[bool, typer.Option("--check", help="Read the file back and compare its outputs on random inputs.")]


def write_and_say(
    network: Any,
    path: Path,
    options: Mapping[str, Any],
    *,
    format: str | None,
    dtype: str | None,
    quantize: Literal["int8", "int4"] | None,
    opset: int | None,
    check: bool,
) -> None:
    """Writes a network, with a bar on a terminal while it is long, and says what was written."""
    from zerfoo_jax.experiment.model_files import bytes_of, write_network

    with _Bar(bytes_of(network)) as bar:
        options = {**options, **({} if opset is None else {"opset": opset})}
        written = write_network(
            network, path, format=format, dtype=dtype, quantize=quantize, check=check, progress=bar.advance, options=options
        )
    print(f"{written.path}  {written.format}, {written.bytes:,} bytes")
    if written.difference is not None:
        found = written.difference
        print(f"read back, its outputs differ by at most {found.largest:.3g}; the largest output is {found.scale:.3g}")


class _Bar:
    """A bar on a terminal; nothing elsewhere, as one line at the end says all."""

    def __init__(self, total: int):
        self._total = total

    def __enter__(self) -> "_Bar":
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

        columns = BarColumn(), DownloadColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        self._task = self._progress.add_task("", total=self._total)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, count: int) -> None:
        """So many bytes more have been written."""
        self._progress.advance(self._task, count)
