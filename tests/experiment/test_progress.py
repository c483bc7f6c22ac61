import io
import itertools

import pytest
from rich.console import Console

from zerfoo_jax.experiment import progress
from zerfoo_jax.experiment.progress import Reporter, describe


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves one second with every look."""
    ticks = itertools.count()
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(ticks)))


def test_lines_where_nobody_looks_go_to_stderr(capsys):
    with Reporter(20, 4, 0, Console(stderr=True, force_terminal=False)) as reporter:
        reporter.step(20, {"loss": 0.5})
        reporter.evaluated(20, {"validation/loss": 0.25})
        reporter.say("[bold] is text")
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[0].startswith("step 20/20  loss 0.5000  ")
    assert lines[1:] == ["step 20/20  validation/loss 0.2500", "[bold] is text"]


def test_lines_come_at_most_once_a_second_and_at_the_end(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    reporter = Reporter(100, 4, 0, Console(stderr=True, force_terminal=False))
    for step in range(1, 101):
        now[0] += 0.1
        reporter.step(step, {"loss": 1.0})
    lines = capsys.readouterr().err.splitlines()
    assert 9 <= len(lines) <= 12
    assert lines[-1].startswith("step 100/100")
    assert "40 examples/s" in lines[-1]
    half = next(
        line for line in lines if line.startswith(("step 49/", "step 50/", "step 51/", "step 52/", "step 53/", "step 54/"))
    )
    assert "5 s left" in half


def test_the_speed_is_in_examples_per_second(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    reporter = Reporter(100, 8, 10, Console(file=io.StringIO()))
    now[0] = 2.0
    assert reporter.step(20, {}) == pytest.approx(10 * 8 / 2)
    assert reporter.step(20, {}) == 0


def test_a_terminal_gets_a_bar():
    out = io.StringIO()
    with Reporter(20, 4, 5, Console(file=out, force_terminal=True, width=120)) as reporter:
        reporter.step(10, {"loss": 0.5})
        reporter.say("a line that stays [link]")
        reporter.step(20, {"loss": 0.25})
    text = out.getvalue()
    assert "20/20" in text and "loss 0.2500" in text
    assert "a line that stays [link]" in text


def test_the_bar_takes_metric_names_for_text():
    out = io.StringIO()
    with Reporter(2, 4, 0, Console(file=out, force_terminal=True, width=120)) as reporter:
        reporter.step(1, {"a[/b]": 0.5})
    assert "a[/b] 0.5000" in out.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "x 0.0000"),
        (1e-3, "x 0.0010"),
        (9e-4, "x 9.00e-04"),
        (-2.5, "x -2.5000"),
        (float("nan"), "x nan"),
        (float("inf"), "x inf"),
    ],
)
def test_numbers_in_words(value, text):
    assert describe({"x": value}) == text
