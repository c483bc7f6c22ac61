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
