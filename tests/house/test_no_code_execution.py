"""Nothing that a file, a network or a user gives is ever run as code: the means for it do not occur in the package."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "zerfoo_jax"
FILES = sorted(PACKAGE.rglob("*.py"))

MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "code", "runpy", "imp"}
BUILTINS = {"eval", "exec", "compile", "__import__", "execfile"}
METHODS = {
    "yaml": {
        "load",
        "load_all",
        "full_load",
        "full_load_all",
        "unsafe_load",
        "unsafe_load_all",
        "Loader",
        "FullLoader",
        "UnsafeLoader",
    },
    "numpy": {"fromregex", "loadtxt", "genfromtxt"},
    "os": {"system", "popen", "execv", "execve", "execvp", "spawnv", "spawnl"},
    "importlib": {"import_module", "reload"},
    "subprocess": {"getoutput", "getstatusoutput"},
}
SAFE_IMPORTS = {("__init__.py", "import_module")}
"""The package's own rooms, loaded when first used: their names are literals in the same file, never data."""


def faults(tree: ast.AST, file: str = "x.py") -> list[str]:
    """What a syntax tree does that could run foreign code, with its line."""
    names = {alias.asname or alias.name.split(".")[0]: alias.name for alias in imports(tree)}
    found = [f"{node.lineno}: imports {module}" for node, module in modules(tree) if module.split(".")[0] in MODULES]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += [f"{node.lineno}: {fault}" for fault in call_faults(node, names, file)]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = names.get(node.value.id, "").split(".")[0]
            if module == "yaml" and node.attr in METHODS["yaml"]:
                found.append(f"{node.lineno}: yaml.{node.attr}")
    return found


def imports(tree: ast.AST) -> list[ast.alias]:
    return [alias for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]


def modules(tree: ast.AST) -> list[tuple[ast.stmt, str]]:
    found: list[tuple[ast.stmt, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node, f"{node.module}"), *((node, f"{node.module}.{a.name}") for a in node.names)]
    return found


def call_faults(node: ast.Call, names: dict[str, str], file: str) -> list[str]:
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    if isinstance(node.func, ast.Name):
        return [f"calls {node.func.id}"] if node.func.id in BUILTINS else []
    if not isinstance(node.func, ast.Attribute):
        return []
    found = []
    method = node.func.attr
    module = names.get(node.func.value.id, "") if isinstance(node.func.value, ast.Name) else ""
    if module == "numpy" and method in ("load", "memmap") and method == "load":
        allowed = keywords.get("allow_pickle")
        if not (isinstance(allowed, ast.Constant) and allowed.value is False):
            found.append("numpy.load without allow_pickle=False")
    if method in METHODS.get(module.split(".")[0], ()) and (file, method) not in SAFE_IMPORTS:
        found.append(f"calls {module}.{method}")
    if method in ("save", "savez") and module == "numpy" and "allow_pickle" not in keywords:
        found.append(f"numpy.{method} without allow_pickle=False")
    shell = keywords.get("shell")
    if shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False):
        found.append("runs a shell")
    allowed = keywords.get("allow_pickle")
    if allowed is not None and not (isinstance(allowed, ast.Constant) and allowed.value is False):
        found.append("allows pickle")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_runs_no_foreign_code(path: Path) -> None:
    assert faults(ast.parse(path.read_text()), str(path.relative_to(PACKAGE))) == []


PLANTED = [
    "import pickle",
    "from pickle import loads",
    "import cloudpickle as cp",
    "from marshal import loads",
    "eval('1')",
    "exec(text)",
    "compile(text, 'f', 'exec')",
    "__import__(name)",
    "import importlib\nimportlib.import_module(name)",
    "import yaml\nyaml.load(text)",
    "import yaml\nyaml.load(text, Loader=yaml.Loader)",
    "import yaml\nyaml.unsafe_load(text)",
    "import yaml\nclass L(yaml.UnsafeLoader): pass",
    "import yaml as y\ny.full_load(text)",
    "import numpy as np\nnp.load(path)",
    "import numpy\nnumpy.load(path, allow_pickle=True)",
    "import numpy as np\nnp.load(path, allow_pickle=flag)",
    "import os\nos.system(text)",
    "import subprocess\nsubprocess.run(text, shell=True)",
    "f.read_array(file, allow_pickle=True)",
]


@pytest.mark.parametrize("text", PLANTED)
def test_a_planted_line_is_found(text: str) -> None:
    assert faults(ast.parse(text))


@pytest.mark.parametrize(
    "text",
    ["import numpy as np\nnp.load(path, allow_pickle=False)", "re.compile('a')", "model.eval()", "import yaml\nyaml.dump(x)"],
)
def test_a_harmless_line_is_left_alone(text: str) -> None:
    assert faults(ast.parse(text)) == []
