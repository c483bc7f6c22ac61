import gc
import hashlib
from itertools import chain, islice
import subprocess
import sys
import threading
import time

import jax
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.data.loader import Loader
from zerfoo_jax.data.order import stream
from zerfoo_jax.data.source import ArraySource


def numbered(size: int) -> ArraySource:
    return ArraySource(np.arange(size, dtype=np.int32)[:, None], np.arange(size, dtype=np.int32))


def seen(loader: Loader, count: int | None = None) -> list[list[int]]:
    with loader:
        return [loaded.batch["targets"].tolist() for loaded in islice(loader, count)]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "zerfoo-loader"]


class Failing(ArraySource):
    """Fails at the batch that holds example 0, in order."""

    error: Exception = ValueError("disk on fire")

    def batch(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        if 12 in indices:
            raise self.error
        return super().batch(indices)


@pytest.mark.parametrize(("size", "batch_size"), [(10, 5), (10, 4), (7, 1), (3, 8), (1, 2)])
def test_every_example_once_per_epoch(size, batch_size):
    batches = seen(Loader(numbered(size), batch_size, seed=3), 3 * size)
    assert {len(batch) for batch in batches} == {batch_size}
    epochs = np.concatenate(batches)[: 2 * size].reshape(2, size)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(size), (2, 1)))


def test_batches_are_rows_of_the_source_on_the_device():
    with Loader(numbered(10), 4) as loader:
        loaded = next(loader)
    assert loaded.step == 0 and isinstance(loaded.batch["inputs"], jax.Array)
    np.testing.assert_array_equal(loaded.batch["inputs"][:, 0], loaded.batch["targets"])


def test_bytes_stay_bytes():
    source = ArraySource(np.full((4, 2), 200, np.uint8), np.arange(4))
    with Loader(source, 2) as loader:
        batch = next(loader).batch
    assert batch["inputs"].dtype == np.uint8 and batch["targets"].dtype == np.int32


@pytest.mark.parametrize("prefetch", [1, 3, 20])
def test_prefetch_changes_nothing(prefetch):
    assert seen(Loader(numbered(11), 4, prefetch=prefetch), 15) == seen(Loader(numbered(11), 4), 15)


def test_resuming_anywhere_gives_the_same_batches_and_digest():
    with Loader(numbered(13), 4, seed=2, steps=12) as loader:
        whole = list(loader)
    for before in range(11):
        state = whole[before].state
        with Loader(numbered(13), 4, seed=2, start_step=state["step"], digest=state["digest"], steps=12) as loader:
            rest = list(loader)
        assert [r.step for r in rest] == list(range(before + 1, 12))
        assert [r.state for r in rest] == [r.state for r in whole[before + 1 :]]
        for a, b in zip(rest, whole[before + 1 :], strict=True):
            np.testing.assert_array_equal(a.batch["targets"], b.batch["targets"])


def test_the_digest_is_the_chain_over_the_example_indices():
    with Loader(numbered(9), 4, seed=1, steps=3) as loader:
        found = [loaded.state["digest"] for loaded in loader]
    digest = b""
    for step in range(3):
        digest = hashlib.sha256(digest + stream(4 * step, 4, 9, 1, True).astype("<i8").tobytes()).digest()
        assert found[step] == digest.hex()


def test_the_digest_tells_seeds_apart():
    digests = set()
    for seed in range(5):
        with Loader(numbered(9), 4, seed=seed) as loader:
            digests.add(next(loader).state["digest"])
    assert len(digests) == 5


@pytest.mark.parametrize("count", [1, 2, 4])
def test_processes_share_every_global_batch(count):
    def part(i):
        return Loader(numbered(10), 8, process_index=i, process_count=count, steps=6)

    with Loader(numbered(10), 8, steps=6) as loader:
        whole = list(loader)
    parts = [seen(part(i)) for i in range(count)]
    assert [list(chain(*pieces)) for pieces in zip(*parts, strict=True)] == [x.batch["targets"].tolist() for x in whole]
    with part(count - 1) as last:
        assert [x.state for x in last] == [x.state for x in whole]


def test_steps_is_the_total_and_then_it_ends():
    with Loader(numbered(5), 2, start_step=3, steps=5) as loader:
        assert [loaded.step for loaded in loader] == [3, 4]
        with pytest.raises(StopIteration):
            next(loader)
    assert not threads()


def test_an_error_of_the_source_arrives_with_its_step():
    with (
        Loader(Failing(np.arange(20), np.arange(20)), 4, shuffle=False) as loader,
        pytest.raises(DataError, match=r"step 3 failed: ValueError: disk on fire") as caught,
    ):
        assert [loaded.step for loaded in loader] == [0, 1, 2]
    assert isinstance(caught.value.__cause__, ValueError)
    assert not threads()


def test_an_error_of_ours_keeps_its_kind_and_names_the_step():
    source = Failing(np.arange(20), np.arange(20))
    object.__setattr__(source, "error", ConfigError("no such thing"))
    with Loader(source, 4, shuffle=False, start_step=3) as loader, pytest.raises(ConfigError, match="no such") as caught:
        next(loader)
    assert "step 3" in caught.value.__notes__[0]


def test_an_error_while_placing_arrives_too():
    def full(batch):
        raise MemoryError("no room")

    with Loader(numbered(5), 2, place=full) as loader, pytest.raises(DataError, match="step 0 failed: MemoryError"):
        next(loader)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_closing_early_leaves_no_thread(taken):
    loader = Loader(numbered(5), 2)
    list(islice(loader, taken))
    start = time.monotonic()
    loader.close()
    loader.close()
    assert not threads() and time.monotonic() - start < 20
    assert list(loader) == []


def test_a_forgotten_loader_leaves_no_thread():
    for loaded in Loader(numbered(5), 2):
        if loaded.step == 3:
            break
    loader = Loader(numbered(5), 2)
    del loader, loaded
    gc.collect()
    assert not threads()


def test_a_program_may_end_with_a_loader_open():
    program = (
        "import numpy as np\n"
        "from zerfoo_jax.data import ArraySource, Loader\n"
        "loader = Loader(ArraySource(np.zeros((50, 9)), np.zeros(50)), 5)\n"
        "print(next(loader).step)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_at_most_prefetch_batches_wait():
    made = []

    def place(batch):
        made.append(1)
        return batch

    with Loader(numbered(5), 2, place=place, prefetch=3) as loader:
        time.sleep(0.2)
        assert len(made) == 3
        next(loader)
        time.sleep(0.2)
        assert len(made) == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch_size": 0}, "batch_size = 0"),
        ({"process_count": 3}, "batch_size = 4 does not divide among 3"),
        ({"process_count": 2, "process_index": 2}, "process_index = 2"),
        ({"prefetch": 0}, "prefetch = 0"),
        ({"start_step": -1}, "start_step = -1"),
        ({"digest": "abc"}, "digest = 'abc'"),
    ],
)
def test_arguments_that_do_not_fit(given, message):
    with pytest.raises(ConfigError, match=message):
        Loader(**({"source": numbered(5), "batch_size": 4} | given))


def test_an_empty_source_is_an_error():
    with pytest.raises(DataError, match="0 examples"):
        Loader(numbered(0), 4)
