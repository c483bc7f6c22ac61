import json

import jax

import zerfoo_jax


def test_json_says_what_there_is(invoke, monkeypatch, tmp_path):
    monkeypatch.setenv("ZERFOO_CACHE", str(tmp_path / "c"))
    result = invoke("doctor", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["zerfoo_jax"] == zerfoo_jax.__version__
    assert found["jax"] == jax.__version__
    assert len(found["devices"]) == jax.device_count()
    assert found["cache"] == str(tmp_path / "c")
    assert not (tmp_path / "c").exists(), "looking creates nothing"
    assert all(fix.startswith("pip install 'zerfoo-jax[") for fix in found["missing"].values())


def test_the_words_say_the_same(invoke):
    lines = invoke("doctor").stdout.splitlines()
    assert {line.split()[0] for line in lines} >= {"zerfoo_jax", "jax", "python", "devices", "cache", "missing"}


def test_what_is_not_installed_is_named_with_its_remedy(invoke, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = invoke("doctor", "--json")
    assert json.loads(result.stdout)["missing"]["matplotlib"] == "pip install 'zerfoo-jax[plot]'"


def test_engines_memory_and_capabilities(invoke):
    kept = jax.numpy.ones(1000)
    found = json.loads(invoke("doctor", "--json").stdout)
    assert sorted(found["engines"]) == ["debug", "eager", "xla"]
    for engine in found["engines"].values():
        assert len(engine["devices"]) == jax.device_count() and engine["purpose"].endswith(".")
    assert [found["engines"][name]["donation"] for name in ("debug", "eager", "xla")] == [False, False, True]
    memory = found["memory"]
    assert 10**7 < memory["process"] <= memory["process_peak"] <= memory["machine"]
    assert memory["live_arrays"] >= kept.nbytes
    capabilities = found["capabilities"]
    assert capabilities["device_kinds"] == ["cpu"] and capabilities["cores"] >= 1 and capabilities["float64"] is False
    assert capabilities["matmul_bfloat16"] and capabilities["matmul_float16"]


def test_a_broken_engine_of_a_package_is_shown_with_its_reason(invoke, monkeypatch, tmp_path):
    info = tmp_path / "broken_engines-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-engines\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[zerfoo_jax.engines]\nfar = no_such_module:ENGINE\n")
    monkeypatch.syspath_prepend(tmp_path)
    lines = [line for line in invoke("doctor").stdout.splitlines() if "no_such_module" in line]
    assert len(lines) == 1 and "far" in lines[0] and "mend or remove the package 'broken-engines'" in lines[0]
    assert "purpose" in json.loads(invoke("doctor", "--json").stdout)["engines"]["xla"]
