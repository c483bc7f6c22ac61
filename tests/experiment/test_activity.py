"""Recordings come back as they were written, keep to their size, and damaged ones are refused with their line."""

import json
import time

import jax.numpy as jnp
import numpy as np
import pytest

import zerfoo_jax as zf
from zerfoo_jax.core.errors import DataError, FormatError
from zerfoo_jax.experiment.activity import ActivityRecorder, read_steps, replay

HEADER = json.dumps({"model_id": "m", "recorded_at": "2026-01-01T00:00:00+00:00"})
LINE = {"step": 3, "seconds": 0.5, "events": [{"node": "a/b", "values": [1.0, None, [2]]}]}


def write(path, steps, **options):
    with ActivityRecorder(path, "digits", **options) as recorder:
        for step in steps:
            recorder.record(step, {"a/b": jnp.array([0.1, jnp.nan, float(step)]), "c": jnp.ones((2, 2), jnp.bfloat16) / 3})


def test_what_was_recorded_comes_back(tmp_path):
    path = tmp_path / "activity.jsonl"
    write(path, (1, 2, 5))
    found = zf.replay(path)
    assert found["model_id"] == "digits" and found["total_events"] == 6 and found["duration_seconds"] >= 0
    assert [(event["step"], event["node"]) for event in found["events"]] == [(s, n) for s in (1, 2, 5) for n in ("a/b", "c")]
    assert found["events"][4]["values"] == [pytest.approx(0.1, rel=1e-7), None, 5.0]
    third = np.float32(jnp.bfloat16(1) / 3)
    assert np.array_equal(np.float32(found["events"][5]["values"]), [[third, third], [third, third]])


def test_a_full_file_keeps_the_newest_and_thins_the_oldest(tmp_path):
    path = tmp_path / "activity.jsonl"
    write(path, range(1, 301), max_bytes=4000)
    assert path.stat().st_size <= 4000
    steps = [step.number for step in read_steps(path)]
    assert steps[-1] == 300 and len(steps) > 10
    gaps = np.diff(steps)
    assert gaps[-1] == 1 and gaps[0] > 4 and (np.diff(gaps) <= 0).all()


def test_a_file_of_uneven_steps_and_one_that_was_larger_keep_to_their_size(tmp_path):
    path = tmp_path / "activity.jsonl"
    with ActivityRecorder(path, max_bytes=4000) as recorder:
        for step in range(60):
            recorder.record(step, {"a": jnp.ones(300 if step % 2 else 1)})
    assert path.stat().st_size <= 4000 and [step.number for step in read_steps(path)][-1] == 59
    write(path, (60,), max_bytes=2000, resume_step=58)
    assert path.stat().st_size <= 2000 and [step.number for step in read_steps(path)][-1] == 60


def test_a_step_recorded_again_takes_the_place_of_what_followed_it(tmp_path):
    path = tmp_path / "activity.jsonl"
    write(path, (1, 4, jnp.int32(6), np.int64(4), 5))
    assert [step.number for step in read_steps(path)] == [1, 4, 5]


def test_what_cannot_be_recorded_is_an_error_and_no_hang(tmp_path):
    with ActivityRecorder(tmp_path / "activity.jsonl") as recorder, pytest.raises(DataError, match="step -1 is below 0"):
        recorder.record(-1, {})
    with pytest.raises(DataError, match="cannot record"), ActivityRecorder(tmp_path / "activity.jsonl") as recorder:
        for step in range(100):
            recorder.record(step, {"a": object()})  # type: ignore[dict-item]


def test_one_step_too_large_is_named(tmp_path):
    recorder = ActivityRecorder(tmp_path / "activity.jsonl", max_bytes=1000)
    recorder.record(1, {"a": jnp.ones(1000)})
    with pytest.raises(DataError, match=r"one step takes \d+ bytes of the 1000 allowed"):
        recorder.close()
    with pytest.raises(DataError, match="cannot record activity"):
        ActivityRecorder(tmp_path / "nowhere" / "activity.jsonl").close()


def test_recording_does_not_wait_for_the_device(tmp_path):
    class Slow:
        def __array__(self, dtype=None, copy=None):
            time.sleep(0.3)
            return np.zeros(2, np.float32)

    with ActivityRecorder(tmp_path / "activity.jsonl") as recorder:
        start = time.monotonic()
        recorder.record(1, {"a": Slow()})
        assert time.monotonic() - start < 0.2
    assert [step.events for step in read_steps(tmp_path / "activity.jsonl")] == [(("a", [0.0, 0.0]),)]


def test_a_resumed_run_drops_what_it_will_record_again(tmp_path):
    path = tmp_path / "activity.jsonl"
    write(path, (1, 2, 3))
    with open(path, "a") as file:
        file.write('{"step": 4, "sec')  # killed
    write(path, (3, 4), resume_step=2)
    assert [step.number for step in read_steps(path)] == [1, 2, 3, 4]
    write(path, (9,))
    assert [step.number for step in read_steps(path)] == [9]


def test_half_a_line_at_the_end_is_passed_over(tmp_path):
    path = tmp_path / "activity.jsonl"
    path.write_text(f"{HEADER}\n{json.dumps(LINE)}\n{json.dumps(LINE)[:20]}")
    assert replay(path)["events"] == [{"step": 3, "seconds": 0.5, "node": "a/b", "values": [1.0, None, [2]]}]


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ("", 1),
        ("3", 1),
        ('{"model_id": 3, "recorded_at": "x"}', 1),
        (f"{HEADER}\nnonsense", 2),
        (f"{HEADER}\n\xff", 2),
        (f"{HEADER}\n{'[' * 100_000}", 2),
        (f"{HEADER}\n{json.dumps({**LINE, 'step': -1})}", 2),
        (f"{HEADER}\n{json.dumps({**LINE, 'step': True})}", 2),
        (f"{HEADER}\n{json.dumps({**LINE, 'seconds': None})}", 2),
        (f"{HEADER}\n{json.dumps({**LINE, 'seconds': 10**400})}", 2),
        (f"{HEADER}\n{json.dumps({**LINE, 'events': {}})}", 2),
        (f"{HEADER}\n{json.dumps({**LINE, 'events': [{'node': 'a'}]})}", 2),
        (f"{HEADER}\n{json.dumps({**LINE, 'events': [{'node': 'a', 'values': ['x']}]})}", 2),
        (f"{HEADER}\n" + '{"step": 1, "seconds": NaN, "events": []}', 2),
        (f"{HEADER}\n" + '{"step": 1, "seconds": 1e999, "events": []}', 2),
        (f"{HEADER}\n" + '{"step": 1, "step": 2, "seconds": 1, "events": []}', 2),
        (f"{HEADER}\n{json.dumps(LINE)}\n{json.dumps(LINE)}", 3),
    ],
)
def test_hostile_recordings_are_refused_with_their_line(tmp_path, lines, number):
    path = tmp_path / "activity.jsonl"
    path.write_bytes((lines + "\n").encode("latin-1"))
    with pytest.raises(FormatError) as raised:
        replay(path)
    assert raised.value.problems[0].place == f"{path}:{number}"


def test_no_recording(tmp_path):
    with pytest.raises(DataError, match="record activity first"):
        replay(tmp_path / "activity.jsonl")
