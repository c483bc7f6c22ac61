"""What safetensors files cost: opening one beside the reference's `load_file`, and the memory for a large model.

python scripts/bench/formats.py [--gigabytes 4] [--folder /tmp]

The memory of each step is the peak of a process of its own, over that of one that has only imported the package. It counts the
file's pages that the process has mapped and read too, though the system may take those back at any time.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
from timing import ratio, row

from zerfoo_jax.formats.safetensors import load_tensors, read_tensors, write_tensors

TENSORS = 64
WIDTH = 1024


def model(gibibytes: float) -> dict[str, np.ndarray]:
    """Tensors that together have that size, but take no memory: every row is the same."""
    rows = int(gibibytes * 2**30 / TENSORS / WIDTH / 4)
    return {f"layers.{i}.kernel": np.broadcast_to(np.arange(WIDTH, dtype=np.float32), (rows, WIDTH)) for i in range(TENSORS)}


def nothing(first: Path, second: Path, gibibytes: float) -> None:
    """What a process has without doing anything."""


def write(first: Path, second: Path, gibibytes: float) -> None:
    """Writes the model from arrays that have to be converted, portion by portion."""
    write_tensors(model(gibibytes), first)


def rewrite(first: Path, second: Path, gibibytes: float) -> None:
    """Writes the views of one file to another."""
    write_tensors(read_tensors(first), second)


def view(first: Path, second: Path, gibibytes: float) -> None:
    """Opens the file and looks at one number of every tensor."""
    assert all(array[-1, 3] == 3 for array in read_tensors(first).values())


def copy(first: Path, second: Path, gibibytes: float) -> None:
    """Loads the file into memory."""
    assert all(array[-1, 3] == 3 for array in load_tensors(first).values())


STEPS: dict[str, Callable[[Path, Path, float], None]] = {one.__name__: one for one in (nothing, write, rewrite, view, copy)}


def peak(step: str, folder: str, gibibytes: float) -> float:
    """The peak memory of a process that does one step, in bytes."""
    done = subprocess.run(
        [sys.executable, __file__, "--step", step, "--folder", folder, "--gigabytes", str(gibibytes)],
        capture_output=True,
        check=True,
        text=True,
    )
    return float(done.stdout) * 1024


def large(folder: str, gibibytes: float) -> None:
    """Rows: the peak memory of every step as a part of the file, and how long opening it takes."""
    before = peak("nothing", folder, gibibytes)
    for step, goal in (("write", "< 1.10"), ("view", ""), ("copy", "< 1.10"), ("rewrite", "")):
        used = peak(step, folder, gibibytes) - before
        row(f"{gibibytes:g} GiB, {step}: peak memory / file", f"{used / (gibibytes * 2**30):.3f}", goal)
    start = time.perf_counter()
    read_tensors(Path(folder, "first.safetensors"))
    row(f"{gibibytes:g} GiB, opened", f"{(time.perf_counter() - start) * 1e3:.2f} ms", "< 100 ms")


def opening(folder: str, repeats: int) -> None:
    """Row: opening an aligned file and making its arrays, over `safetensors.numpy.load_file`."""
    from safetensors.numpy import load_file

    path = Path(folder, "small.safetensors")
    write_tensors(model(0.25), path)

    def timed(open_file: Callable[[Path], object]) -> float:
        start = time.perf_counter()
        open_file(path)
        return time.perf_counter() - start

    value, ours, theirs = ratio(lambda: timed(lambda path: dict(read_tensors(path))), lambda: timed(load_file), repeats)
    row("opening 256 MiB / load_file", f"{value:.5f} ({ours * 1e3:.2f}/{theirs * 1e3:.2f} ms)", "<= 0.01")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--folder", help="where the files go, twice that size (default: a temporary folder)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        files = (Path(arguments.folder, f"{name}.safetensors") for name in ("first", "second"))
        STEPS[arguments.step](*files, arguments.gigabytes)
        # Unlike ru_maxrss this is not the parent's too.
        print(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0])
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        opening(folder, arguments.repeats)
        large(folder, arguments.gigabytes)


if __name__ == "__main__":
    main()
