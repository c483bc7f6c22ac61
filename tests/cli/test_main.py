import os
import subprocess
import sys

import pytest

from tests.support.command_line import TINY, command
import zerfoo_jax
from zerfoo_jax.cli.main import VERBS, exit_code_of
from zerfoo_jax.core.errors import ConfigError, DataError, DivergedError

HEAVY = "import sys; from zerfoo_jax.cli.main import app\ntry: app({arguments!r})\nexcept SystemExit as end: print(end.code)\n"
LOADED = "print(sorted({'jax', 'numpy', 'optax', 'matplotlib', 'tensorboardX', 'orbax'} & set(sys.modules)))"


def test_help_names_every_verb(tmp_path):
    done = command("--help", folder=tmp_path)
    assert done.returncode == 0
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)
    assert done.stderr == ""


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, invoke):
    result = invoke(verb, "--help")
    assert result.exit_code == 0
    assert (VERBS[verb].__doc__ or "").split(".")[0].split(":")[0][:30] in " ".join(result.stdout.split())


def test_the_version(invoke):
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"zerfoo {zerfoo_jax.__version__}\n")


def modules_loaded_by(*arguments, folder):
    code = HEAVY.format(arguments=list(arguments)) + LOADED
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=60)
    return done.stdout.splitlines()[-2:], done.stderr


@pytest.mark.parametrize(
    "arguments", [("--help",), ("train", "digits_mlp", "optimzer.name=adam"), ("init",), ("check", "no.yaml")]
)
def test_what_needs_no_jax_loads_no_jax(tmp_path, arguments):
    (code, loaded), _ = modules_loaded_by(*arguments, folder=tmp_path)
    assert code in ("0", "2")
    # NumPy alone is cheap, and the vocabulary of fields knows its scalars.
    assert set(words_of(loaded)) <= {"numpy"}


def words_of(text):
    return [word.strip(" '") for word in text.strip("[]").split(",") if word.strip(" '")]


def test_a_misspelt_setting_is_named_with_the_likely_spelling(tmp_path):
    done = command("train", "digits_mlp", "optimzer.name=adam", folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "command line: optimzer.name=adam" in done.stderr
    assert "did you mean 'optimizer'?" in done.stderr
    assert not (tmp_path / "runs").exists()


USAGE_ERRORS = [
    ("foo",),
    ("train",),
    ("train", "--foo"),
    ("eval",),
    ("eval", "a", "b"),
    ("predict", "a", "--examples", "0"),
    ("predict", "a", "--examples", "many"),
    ("predict", "a", "--temperature", "-1"),
    ("predict", "a", "--temperature", "nan"),
    ("train", "digits_mlp", "steps"),
    ("check", "no_such_config"),
    ("layers", "NO_SUCH_TABLE"),
]


@pytest.mark.parametrize("arguments", USAGE_ERRORS)
def test_usage_errors_exit_with_2_and_leave_stdout_empty(invoke, arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "rror" in result.stderr


@pytest.mark.parametrize("verb", ["eval", "predict", "plot"])
def test_a_folder_that_is_no_run(invoke, verb, tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        result = invoke(verb, path)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert "is not a run folder" in result.stderr
        assert "fix: give the folder" in result.stderr


def test_exit_codes_of_errors():
    codes = [exit_code_of(error("x")) for error in (ConfigError, DataError, DivergedError)]
    assert codes == [2, 1, 3]


def test_debug_shows_the_whole_traceback(tmp_path):
    done = command("train", "digits_mlp", "sed=1", folder=tmp_path, ZERFOO_DEBUG="1")
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_an_environment_variable_is_a_setting(tmp_path):
    (tmp_path / "t.yaml").write_text(TINY)
    done = command("check", "t.yaml", folder=tmp_path, ZERFOO_TRAIN__STEPS="-5", ZERFOO_HOME="/opt")
    assert done.returncode == 2
    assert "train.steps = -5: should be greater than 0" in done.stderr
    assert "at environment variable ZERFOO_TRAIN__STEPS" in done.stderr
    assert "ZERFOO_HOME is no setting" in done.stderr


def test_the_module_runs_as_the_installed_script_does(tmp_path):
    script = os.path.join(os.path.dirname(sys.executable), "zerfoo")
    if not os.path.exists(script):
        pytest.skip("the package is not installed beside this interpreter")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.stdout == f"zerfoo {zerfoo_jax.__version__}\n"
