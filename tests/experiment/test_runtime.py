from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

from zerfoo_jax.experiment import runtime
from zerfoo_jax.experiment.runtime import cache_folder, enable_compilation_cache


@pytest.fixture
def updates(monkeypatch):
    """What would be set, without setting it for the other tests."""
    found = {}
    monkeypatch.setattr(jax.config, "update", found.__setitem__)
    return found


def test_the_cache_is_where_the_user_says(monkeypatch):
    monkeypatch.setenv("ZERFOO_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_folder() == Path("/a")
    monkeypatch.setenv("ZERFOO_CACHE", "")
    assert cache_folder() == Path("/b/zerfoo")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path.home() / ".cache" / "zerfoo"


def test_the_cache_is_private(monkeypatch, tmp_path, updates):
    monkeypatch.setenv("ZERFOO_CACHE", str(tmp_path / "c"))
    enable_compilation_cache()
    assert updates["jax_compilation_cache_dir"] == str(tmp_path / "c" / "xla")
    assert (tmp_path / "c" / "xla").stat().st_mode & 0o077 == 0


def test_a_cache_that_cannot_be_made_is_done_without(monkeypatch, tmp_path, updates, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZERFOO_CACHE", str(tmp_path / "file"))
    enable_compilation_cache()
    assert updates == {}
    assert "no cache of compiled programs" in caplog.text


def test_a_cache_of_the_users_own_stays(monkeypatch, tmp_path, updates):
    monkeypatch.setenv("ZERFOO_CACHE", str(tmp_path / "c"))
    mine = SimpleNamespace(values={"jax_compilation_cache_dir": "/mine"}, update=updates.__setitem__)
    monkeypatch.setattr(runtime, "jax", SimpleNamespace(config=mine))
    enable_compilation_cache()
    assert updates == {}
    assert not (tmp_path / "c").exists()
