#!/usr/bin/env python3
"""Mutates model files and reads them: every one must give a network or a `FormatError`, soon and in little memory.

    scripts/fuzz_formats.py --count 200000 --processes 2            all formats
    scripts/fuzz_formats.py onnx --count 5000 --seed 7              one, with other mutations
    scripts/fuzz_formats.py onnx --replay 1234 --seed 7             one input again, with its traceback

Input i is a pure function of seed and i. A worker that dies is a crash, one that is stuck a hang; both are named by their i and
the work goes on behind them. Ends with 1 if anything but networks and `FormatError`s came out.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable
import contextlib
from dataclasses import dataclass, field
import multiprocessing
from multiprocessing.connection import Connection
import os
from pathlib import Path
import random
import resource
import signal
import sys
import tempfile
import time
import traceback

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats import FORMATS, detect_if_known, save
from zerfoo_jax.formats.format import Format
from zerfoo_jax.graph import Graph, Input, Node
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.layers import LSTM, Activation, Add, BatchNorm, Conv2D, Dense, Embedding, Flatten, LayerNorm, Sequential

ROOT = Path(__file__).resolve().parents[1]
LARGEST_SEED = 30_000
"""Bytes; larger files take longer without showing more, and serve only where there are no others."""
SLOW = 2.0
"""Seconds that one input may take."""
MEMORY = 256 * 2**20
"""Bytes that a worker may grow by."""
NUMBERS = (0, 1, 2, 127, 128, 255, 256, *(2**bits - less for bits in (15, 16, 31, 32, 40, 62, 63, 64) for less in (0, 1)))
"""Where sizes and offsets go wrong."""
TEXTS = (b"null", b"true", b"-1", b"1e999", b"NaN", b"0.5", b'""', b"[]", b"{}", b"[" * 9, b"9" * 400, b'"../x"', b'"\\u0000"')
"""What may stand in the place of a JSON value."""


def networks() -> dict[str, Network]:
    """Small networks that between them have what files hold."""
    key = jax.random.key(0)
    convolutional = Sequential((Conv2D(3, 3), BatchNorm(), Activation("relu"), Flatten(), Dense(4)))
    branches = Graph(
        (Input("x", (None, 5)),),
        (Node("a", Dense(3), ("x",)), Node("n", LayerNorm(), ("a",)), Node("s", Add(), ("a", "n"))),
        ("s", "n"),
    )
    words = Sequential((Embedding(7, 4), LSTM(3)))
    spec = jax.ShapeDtypeStruct
    return {
        "dense": Network.new(Sequential((Dense(4), Activation("tanh"), Dense(2))), key, spec((1, 3), "float32")),
        "convolutional": Network.new(convolutional, key, spec((1, 6, 6, 2), "float32")),
        "branches": Network.new(branches, key, spec((1, 5), "float32")),
        "words": Network.new(words, key, spec((1, 5), "int32")),
    }


def seeds_of(format: Format) -> list[bytes]:
    """Files of a format to begin with: our own and those of the tests' data."""
    found: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, network in networks().items():
            path = Path(folder, name + format.extensions[0])
            with contextlib.suppress(FormatError):  # a format need not have every layer
                if format.can("write"):
                    save(network, path, format=format.name)
                    found.append(path.read_bytes())
    given = (path for path in sorted((ROOT / "tests" / "data").rglob("*")) if path.is_file())
    found += [path.read_bytes() for path in given if (kind := detect_if_known(path)) and kind.name == format.name]
    return [seed for seed in found if len(seed) <= LARGEST_SEED] or sorted(found, key=len)[:1]


def mutated(seeds: list[bytes], seed: int, index: int) -> bytes:
    """The input of that index."""
    chance = random.Random(f"{seed}/{index}")
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        chance.choice(MUTATIONS)(chance, data, seeds)
    return bytes(data)


Mutation = Callable[[random.Random, bytearray, list[bytes]], None]


def flip_bit(chance: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def set_byte(chance: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    if data:
        data[_early(chance, data)] = chance.randrange(256)


def set_number(chance: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    at, size = _early(chance, data), chance.choice((2, 4, 8))
    data[at : at + size] = (chance.choice(NUMBERS) % 2 ** (8 * size)).to_bytes(size, chance.choice(("little", "big")))


def set_varint(chance: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    at, value, written = _early(chance, data), chance.choice(NUMBERS), bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    data[at : at + chance.randrange(3)] = written + bytes([value])


def truncate(chance: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    del data[chance.randrange(len(data) + 1) :]


def delete(chance: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    at = _early(chance, data)
    del data[at : at + chance.randrange(1, 64)]


def repeat(chance: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    at, size = _early(chance, data), chance.randrange(1, 200)
    data[at:at] = data[at : at + size] * chance.choice((1, 1, 2, 50))


def splice(chance: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    other = chance.choice(seeds)
    at, start = _early(chance, data), chance.randrange(len(other) or 1)
    data[at : at + chance.randrange(200)] = other[start : start + chance.randrange(200)]


def set_text(chance: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    """Something else in the place of a JSON value."""
    starts = [i for i in range(min(len(data), 4000)) if data[i] in b":,["]
    if starts:
        at = chance.choice(starts) + 1
        stop = next((i for i in range(at, min(len(data), at + 60)) if data[i] in b",]}"), at)
        data[at:stop] = chance.choice(TEXTS)


def _early(chance: random.Random, data: bytearray) -> int:
    """A place, more often near the beginning, where headers are."""
    return min(int(len(data) * chance.random() ** chance.choice((1, 3))), max(len(data) - 1, 0))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit, set_byte, set_number, set_varint, truncate, delete, repeat, splice, set_text,
)  # fmt: skip


@dataclass
class Found:
    """What came out: how often which outcome, and which inputs were wrong to come out so."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def read(format: Format, path: Path) -> str:
    """How reading a file ends."""
    try:
        format.call("read" if format.can("read") else "summarize", path)
    except FormatError:
        return "refused"
    return "read"


def work(name: str, seeds: list[bytes], seed: int, indices: range, results: Connection) -> None:
    """Reads inputs one after another and sends `(index, outcome, detail)`; before each its index alone."""
    format, limit = FORMATS[name], resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, limit))
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder, "input" + format.extensions[0])
        path.write_bytes(seeds[0])
        read(format, path)  # what is loaded on first use is not the inputs' doing
        for index in indices:
            results.send((index, "begun", ""))
            path.write_bytes(mutated(seeds, seed, index))
            before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
            try:
                outcome, detail = read(format, path), ""
            except BaseException as error:
                outcome, detail = "foreign", f"{type(error).__name__}: {str(error)[:200]}"
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
            if time.process_time() - started > SLOW:
                outcome, detail = "slow", f"{time.process_time() - started:.1f} s, {outcome} {detail}"
            if grown > MEMORY:
                outcome, detail = "memory", f"{grown / 2**20:.0f} MiB, {outcome} {detail}"
            results.send((index, outcome, detail))


def supervise(name: str, seeds: list[bytes], seed: int, indices: range, results: Connection) -> None:
    """Runs `work` in a process of its own, and again behind every input that kills or holds it."""
    found, start = Found(), indices.start
    spawn = multiprocessing.get_context("spawn")
    while start < indices.stop:
        receiver, sender = spawn.Pipe(duplex=False)
        process = spawn.Process(target=work, args=(name, seeds, seed, range(start, indices.stop), sender))
        process.start()
        sender.close()
        start = _listen(receiver, found, start, process)
    results.send(found)


def _listen(receiver: Connection, found: Found, start: int, process: multiprocessing.process.BaseProcess) -> int:
    """Takes in what a worker sends; returns the index behind the last one that is done with."""
    index = start
    with contextlib.suppress(EOFError):
        while receiver.poll(30):
            index, outcome, detail = receiver.recv()
            if outcome == "begun":
                continue
            found.counts[outcome] += 1
            if outcome not in ("read", "refused"):
                found.wrong.append(f"{index}: {outcome} {detail}")
            start = index + 1
        process.kill()
        found.counts["hang"] += 1
        found.wrong.append(f"{index}: hang")
        return index + 1
    process.join()
    if process.exitcode:
        died = signal.Signals(-process.exitcode).name if process.exitcode < 0 else f"exit {process.exitcode}"
        found.counts["crash"] += 1
        found.wrong.append(f"{index}: crash {died}")
        return index + 1
    return start


def fuzz(format: Format, seed: int, count: int, processes: int) -> Found:
    """Reads `count` mutated files of a format."""
    seeds, name = seeds_of(format), format.name
    parts = [range(count * i // processes, count * (i + 1) // processes) for i in range(processes)]
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe(duplex=False) for _ in parts]
    running = [
        spawn.Process(target=supervise, args=(name, seeds, seed, part, sender))
        for part, (_, sender) in zip(parts, pipes, strict=True)
    ]
    for process in running:
        process.start()
    total = Found()
    for receiver, _ in pipes:
        found = receiver.recv()
        total.counts += found.counts
        total.wrong += found.wrong
    return total


def report(name: str, found: Found, seconds: float) -> None:
    """One line for a format, and one for each of the first inputs that came out wrong."""
    counts = ", ".join(f"{found.counts[outcome]:,} {outcome}" for outcome in sorted(found.counts))
    print(f"{name}: {found.counts.total():,} inputs in {seconds:.0f} s: {counts}", flush=True)
    for line in found.wrong[:20]:
        print(f"  {line}")


def main(arguments: Iterable[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"of {', '.join(FORMATS)}; all if none is named")
    parser.add_argument("--count", type=int, default=200_000, help="inputs per format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--replay", type=int, metavar="I", help="read input I alone and show its traceback")
    given = parser.parse_args(list(arguments))
    names = given.formats or [name for name, one in FORMATS.items() if one.can("summarize")]
    if given.replay is not None:
        return replay(FORMATS[names[0]], given.seed, given.replay)
    wrong = 0
    for name in names:
        started = time.monotonic()
        found = fuzz(FORMATS[name], given.seed, given.count, given.processes)
        report(name, found, time.monotonic() - started)
        wrong += len(found.wrong)
    return 1 if wrong else 0


def replay(format: Format, seed: int, index: int) -> int:
    """Reads one input and shows how that ends; the input stays in a file."""
    path = Path(tempfile.mkdtemp(), f"{index}{format.extensions[0]}")
    path.write_bytes(mutated(seeds_of(format), seed, index))
    print(path)
    try:
        print(read(format, path))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
