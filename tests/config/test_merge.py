import os

import pytest

from zerfoo_jax.config.merge import gather
from zerfoo_jax.core.errors import ConfigError


@pytest.fixture
def files(tmp_path):
    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return tmp_path

    return write


def test_the_later_source_wins(files):
    folder = files(base="a: base\nb: base\nc: base\nd: base", top="extends: base.yaml\nb: file\nc: file\nd: file")
    environment = {"ZERFOO_C": "environment", "ZERFOO_D": "environment", "HOME": "x"}
    document = gather(folder / "top.yaml", ["d=command"], environment)
    assert document.value == {"a": "base", "b": "file", "c": "environment", "d": "command"}
    assert document.places["a",] == f"{folder / 'base.yaml'}:1:1"
    assert document.places["b",] == f"{folder / 'top.yaml'}:2:1"
    assert document.places["c",] == "environment variable ZERFOO_C"
    assert document.places["d",] == "command line: d=command"


def test_variables_that_steer_the_program_are_no_settings(files):
    folder = files(a="x: 1")
    assert gather(folder / "a.yaml", (), {"ZERFOO_CACHE": "c", "ZERFOO_DEBUG": "1"}).value == {"x": 1}


def test_two_underscores_go_one_level_down(files):
    folder = files(a="train: {steps: 1, batch_size: 2}")
    assert gather(folder / "a.yaml", (), {"ZERFOO_TRAIN__BATCH_SIZE": "5"}).value == {"train": {"steps": 1, "batch_size": 5}}


def test_a_chain_of_bases(files):
    folder = files(a="x: {p: 1, q: 1, r: 1}", b="extends: a.yaml\nx: {q: 2, r: 2}", c="extends: b.yaml\nx: {r: 3}")
    assert gather(folder / "c.yaml").value == {"x": {"p": 1, "q": 2, "r": 3}}


def test_a_base_counts_from_the_file_that_names_it(files):
    folder = files(base="x: 1")
    (folder / "sub").mkdir()
    (folder / "sub" / "top.yaml").write_text("extends: ../base.yaml")
    assert gather(folder / "sub" / "top.yaml").value == {"x": 1}


def test_a_name_of_its_own_keeps_the_base(files):
    folder = files(base="name: base\nseed: 3", top="extends: base.yaml\nname: top")
    assert gather(folder / "top.yaml").value == {"name": "top", "seed": 3}


OVERLAYS = {
    "keys of the same member merge": ("{name: adam, b1: 0.8}", "{b2: 0.9}", {"name": "adam", "b1": 0.8, "b2": 0.9}),
    "the same name merges": ("{name: adam, b1: 0.8}", "{name: adam, b2: 0.9}", {"name": "adam", "b1": 0.8, "b2": 0.9}),
    "another name replaces": ("{name: adam, b1: 0.8}", "{name: sgd}", {"name": "sgd"}),
    "another type replaces": ("{type: Dense, features: 2}", "{type: Flatten}", {"type": "Flatten"}),
    "a type replaces a name": ("{name: gpt, features: 2}", "{type: Flatten}", {"type": "Flatten"}),
    "nodes replace a type": ("{type: Dense, features: 2}", "{nodes: {}}", {"nodes": {}}),
    "nodes merge into nodes": ("{nodes: {a: 1}}", "{nodes: {b: 2}}", {"nodes": {"a": 1, "b": 2}}),
    "a name joins a part": ("{learning_rate: 1}", "{name: sgd}", {"learning_rate": 1, "name": "sgd"}),
    "lists are replaced": ("[1, 2, 3]", "[4]", [4]),
    "a mapping replaces text": ("mse", "{name: huber}", {"name": "huber"}),
    "null replaces": ("{a: 1}", "null", None),
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_sections_of_a_base(files, name):
    base, top, expected = OVERLAYS[name]
    folder = files(base=f"s: {base}", top=f"extends: base.yaml\ns: {top}")
    assert gather(folder / "top.yaml").value == {"s": expected}


@pytest.mark.parametrize("base", ["top.yaml", "./top.yaml", "middle.yaml", "sub/../middle.yaml"])
@pytest.mark.parametrize("relative", [False, True])
def test_a_circle_of_bases(files, monkeypatch, base, relative):
    folder = files(top=f"a: 1\nextends: {base}", middle="extends: top.yaml")
    (folder / "sub").mkdir()
    monkeypatch.chdir(folder)
    path = folder / "top.yaml"
    with pytest.raises(ConfigError, match="extends itself"):
        gather(path.relative_to(os.getcwd()) if relative else path)


@pytest.mark.parametrize("base", ["no.yaml", "''", "[a.yaml]", "3", "sub", '"a\\0b"'])
def test_a_base_that_is_no_file(files, base):
    folder = files(top=f"a: 1\nextends: {base}")
    (folder / "sub").mkdir()
    with pytest.raises(ConfigError, match="no such file") as caught:
        gather(folder / "top.yaml")
    assert caught.value.problems[0].place == f"{folder / 'top.yaml'}:2:1"


def test_a_broken_base_has_its_own_place(files):
    folder = files(base="a: [", top="extends: base.yaml")
    with pytest.raises(ConfigError) as caught:
        gather(folder / "top.yaml")
    assert caught.value.problems[0].place.startswith(f"{folder / 'base.yaml'}:1:")


def test_a_long_chain_of_bases(files):
    folder = files(**{f"c{i}": f"extends: c{i + 1}.yaml" for i in range(300)})
    with pytest.raises(ConfigError, match="extend one another"):
        gather(folder / "c0.yaml")


def test_overrides_reach_into_lists_by_either_spelling(files):
    folder = files(a="layers: [{type: Flatten}, {type: Dense, features: 3}]")
    expected = [{"type": "Flatten"}, {"type": "Dense", "features": 5}]
    for override in ("layers.1.features=5", "layers[1].features=5", "--layers.1.features=5"):
        document = gather(folder / "a.yaml", [override])
        assert document.value == {"layers": expected}
        assert document.places["layers", 1, "features"] == f"command line: {override}"
        assert document.places["layers", 0, "type"] == f"{folder / 'a.yaml'}:1:11"


def test_an_override_makes_the_sections_it_needs(files):
    folder = files(a="x: 1")
    assert gather(folder / "a.yaml", ["train.early_stopping.patience=3"]).value == {
        "x": 1,
        "train": {"early_stopping": {"patience": 3}},
    }


def test_an_override_of_a_shared_part_changes_one_place(files):
    folder = files(a="a: &shared {x: 1}\nb: *shared")
    assert gather(folder / "a.yaml", ["a.x=2"]).value == {"a": {"x": 2}, "b": {"x": 1}}


def test_the_value_of_an_override_is_yaml(files):
    folder = files(a="x: 1")
    overrides = ["a=1e-4", "b=no", "c=[1, {d: 2}]", "e=", "f=p=q"]
    assert gather(folder / "a.yaml", overrides).value == {
        "x": 1,
        "a": 1e-4,
        "b": "no",
        "c": [1, {"d": 2}],
        "e": None,
        "f": "p=q",
    }


BAD_OVERRIDES = ["steps", "=1", "a..b=1", ".=1", "a=[", "a={b: 1, b: 2}", "a=!!int 1", "l.2=1", "l.-1=1", "l.x=1", "a=\x01"]


@pytest.mark.parametrize("override", [*BAD_OVERRIDES, ".".join("a" * 200) + "=1", "l.²=1", "a=\udcff"])
def test_a_bad_override_names_itself(files, override):
    folder = files(a="l: [1, 2]")
    with pytest.raises(ConfigError) as caught:
        gather(folder / "a.yaml", [override])
    assert caught.value.problems[0].place == f"command line: {override}"
    assert caught.value.problems[0].cause


def test_all_bad_settings_are_reported_at_once(files):
    folder = files(a="x: 1")
    with pytest.raises(ConfigError) as caught:
        gather(folder / "a.yaml", BAD_OVERRIDES, {"ZERFOO_TRAIN__STEPS": "["})
    places = [problem.place for problem in caught.value.problems]
    # Where `l` is no list, its indices are names.
    assert places == [
        "environment variable ZERFOO_TRAIN__STEPS",
        *(f"command line: {o}" for o in BAD_OVERRIDES if not o.startswith("l.")),
    ]


@pytest.mark.parametrize("text", ['{\n\t"a": "\\ud83d\\ude00"}', '\ufeff{"a": "😀"}', '{"a":"😀"}'])
def test_a_json_file_is_read_as_json(tmp_path, text):
    (tmp_path / "m.json").write_text(text, encoding="utf-8")
    assert gather(tmp_path / "m.json").value == {"a": "😀"}


def test_what_is_wrong_with_a_json_file_is_said_of_json(tmp_path):
    (tmp_path / "m.json").write_text('{"a": 1,\n "a": 2}')
    with pytest.raises(ConfigError, match="not plain JSON: the key 'a' appears twice"):
        gather(tmp_path / "m.json")
    (tmp_path / "m.json").write_text('{"a": 1,\n "b": }')
    with pytest.raises(ConfigError, match=r"not plain JSON.*m\.json:2:7".replace(".*", "(.|\n)*")):
        gather(tmp_path / "m.json")
