"""What the README shows is true: its Python runs, its commands exist, and its tables name what is there."""

from pathlib import Path
import re
from typing import Any

import jax
import numpy as np
import pytest

from zerfoo_jax.cli.main import VERBS
from zerfoo_jax.formats import FORMATS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_training_script_is_short_and_learns(capsys: pytest.CaptureFixture[str]) -> None:
    script = BLOCKS[0]
    assert len(script.splitlines()) <= 25
    with jax.numpy_dtype_promotion("standard"):  # a user's own setting; optax needs it
        exec(compile(script, "README.md", "exec"), {"__name__": "readme"})
    assert float(capsys.readouterr().out.split()[-1]) >= 0.95


def test_the_state_dict_example_gives_back_what_it_wrote() -> None:
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(BLOCKS[1], "README.md", "exec"), names)
    tensor = names["tensors"]["layer1.0.conv1.weight"]
    assert tensor.shape == (8, 8, 3, 3)
    kernel = names["params"]["layer1"]["0"]["conv1"]["kernel"]
    np.testing.assert_array_equal(kernel, tensor.transpose(2, 3, 1, 0))


def test_the_forms_of_a_graph_are_equal_and_edits_are_seen(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(BLOCKS[2], "README.md", "exec"), {"__name__": "readme"})
    nodes = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert list(dict.fromkeys(nodes)) == ["hidden", "relu", "more/inner", "more", "again", "total"]


def test_a_model_goes_from_file_to_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[3], "README.md", "exec"), {"__name__": "readme"})
    assert float(capsys.readouterr().out) < 1e-5


def test_every_format_is_listed() -> None:
    table = README.split("| format |")[1].split("\n\n")[0]
    first = re.findall(r"^\| ([^|]*) \|", table, flags=re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(first))) == set(FORMATS)


def test_every_packaged_config_is_listed() -> None:
    assert set(re.findall(r"`(\w+)`", README.split("| config |")[1].split("\n\n")[0])) == {
        path.stem for path in (ROOT / "configs").glob("*.yaml")
    }


def test_the_layer_example_is_a_layer() -> None:
    names: dict[str, type] = {"__name__": "readme"}
    exec(compile(BLOCKS[4], "README.md", "exec"), names)
    layer = names["Scale"](start=3.0)
    params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((2, 5), "float32"))
    output, _ = layer.apply(params, state, jax.numpy.ones((2, 5)))
    assert output.tolist() == [[3.0] * 5] * 2


def test_every_verb_is_shown() -> None:
    assert set(re.findall(r"^zerfoo (\w+)", README, flags=re.MULTILINE)) == set(VERBS)


def test_every_room_is_on_a_floor() -> None:
    rooms = {path.parent.name for path in (ROOT / "zerfoo_jax").glob("*/__init__.py")}
    shown = set(re.findall(r"`(\w+)/`", README.split("## The house")[1].split("## Where")[0]))
    assert rooms == shown


def test_scripts_and_configs_that_are_named_exist() -> None:
    for name in re.findall(r"scripts/[\w/]+(?:\.py)?", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"zerfoo (?:train|check|init) (\w+)", README):
        assert (ROOT / "configs" / f"{name}.yaml").exists(), name
