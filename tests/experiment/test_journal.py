import json
import math

import pytest

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.experiment.folder import RunFolder
from zerfoo_jax.experiment.journal import Journal, read_metrics


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def write(folder, steps, resume=0, **values):
    journal = Journal(folder, resume, tensorboard=False)
    for step in steps:
        journal.write(step, values or {"loss": 1.0 / step})
    journal.close()


def test_records_come_back_in_order(folder):
    write(folder, [10, 20], loss=0.5, rate=1e-3)
    assert read_metrics(folder) == [{"step": 10, "loss": 0.5, "rate": 1e-3}, {"step": 20, "loss": 0.5, "rate": 1e-3}]


def test_every_line_is_plain_json(folder):
    write(folder, [1], a=math.nan, b=math.inf, c=-math.inf, d=0.1)
    (line,) = folder.metrics.read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail) == {"step": 1, "a": None, "b": None, "c": None, "d": 0.1}


def test_a_record_is_on_disk_at_once(folder):
    journal = Journal(folder, 0, tensorboard=False)
    journal.write(1, {"loss": 2.0})
    assert read_metrics(folder) == [{"step": 1, "loss": 2.0}]
    journal.close()


def test_resuming_drops_what_came_after_the_checkpoint(folder):
    write(folder, [10, 20, 20, 30, 40])
    write(folder, [30], resume=20)
    assert [record["step"] for record in read_metrics(folder)] == [10, 20, 20, 30]


def test_a_new_start_drops_everything(folder):
    write(folder, [10, 20])
    write(folder, [10], resume=0)
    assert [record["step"] for record in read_metrics(folder)] == [10]


@pytest.mark.parametrize(
    "tail", ['{"step": 30, "lo', "{", "\x00\x00\x00", "[1]\n", "3\n", '{"loss": 1}\n', '{"step": "3"}\n', "[" * 5000]
)
def test_a_half_written_last_line_is_dropped_on_resuming(folder, tail):
    write(folder, [10, 20])
    with open(folder.metrics, "a") as file:
        file.write(tail)
    with pytest.raises(DataError, match="not a record") as caught:
        read_metrics(folder)
    assert caught.value.problems[0].place == f"{folder.metrics}:3"
    write(folder, [30], resume=20)
    assert [record["step"] for record in read_metrics(folder)] == [10, 20, 30]


def test_bytes_that_are_no_text_are_dropped_on_resuming(folder):
    write(folder, [10])
    with open(folder.metrics, "ab") as file:
        file.write(b"\xff\xfe\n")
    with pytest.raises(DataError, match="not a record"):
        read_metrics(folder)
    write(folder, [20], resume=10)
    assert [record["step"] for record in read_metrics(folder)] == [10, 20]


def test_a_run_without_metrics(folder):
    with pytest.raises(DataError, match="train the run first"):
        read_metrics(folder)


def test_tensorboard_gets_the_same_numbers(folder):
    journal = Journal(folder, 0, tensorboard=True)
    journal.write(1, {"loss": 2.0})
    journal.write(2, {"loss": math.nan})
    journal.close()
    (events,) = folder.path.glob("events.out.tfevents.*")
    assert b"loss" in events.read_bytes()
