"""How long a user waits: for help, for a mistake to be named, and for the first loss on a cold and on a warm cache.

python scripts/bench/startup.py [CONFIG ...]
"""

import argparse
import os
from pathlib import Path
import re
from statistics import median
import subprocess
import sys
import tempfile
import time

from timing import row

COMMAND = [sys.executable, "-c", "from zerfoo_jax.cli.main import main; main()"]


def seconds(*arguments: str) -> float:
    """Wall time of one `zerfoo` command."""
    start = time.perf_counter()
    subprocess.run([*COMMAND, *arguments], capture_output=True, check=False)
    return time.perf_counter() - start


def first_loss(config: str, folder: Path, cache: Path) -> float:
    """Seconds from the start of the process to the first loss, which the run says itself; the process is then stopped."""
    arguments = [*COMMAND, "train", config, "--run", str(folder)]
    start = time.perf_counter()
    with subprocess.Popen(
        arguments, env={**os.environ, "ZERFOO_CACHE": str(cache)}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if re.match("first loss", line):
                process.kill()
                return time.perf_counter() - start
    raise SystemExit(f"{config} ended without a first loss")


def bench_first_loss(config: str, repeats: int) -> None:
    """Rows: cold and warm start of one config, and their ratio; every start is a new run, every cold one has an empty cache."""
    cold, warm = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(first_loss(config, Path(folder, "first"), Path(folder, "cache")))
            warm.append(first_loss(config, Path(folder, "second"), Path(folder, "cache")))
    row(f"{config}: first loss, cold cache", f"{median(cold):.2f} s", "<= 15 s")
    row(f"{config}: first loss, warm / cold", f"{median(w / c for w, c in zip(warm, cold, strict=True)):.2f}", "<= 0.50")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="*", default=["digits_mlp", "digits_cnn", "forecast_lstm", "gpt_bytes"])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    row("zerfoo --help", f"{median(seconds('--help') for _ in range(5)):.2f} s", "<= 0.60 s")
    mistake = ("train", "digits_mlp", "optimzer.name=adam")
    row("a misspelt key is named", f"{median(seconds(*mistake) for _ in range(5)):.2f} s", "<= 0.70 s")
    for config in arguments.configs:
        bench_first_loss(config, arguments.repeats)


if __name__ == "__main__":
    main()
