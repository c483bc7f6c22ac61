"""What is public says what it is, and nothing grows beyond what a reader can hold."""

import ast
from collections.abc import Iterator
import inspect
from pathlib import Path

import pytest

from zerfoo_jax.experiment.tables import TABLES

PACKAGE = Path(__file__).parents[2] / "zerfoo_jax"
FILES = sorted(PACKAGE.rglob("*.py"))
IDS = [str(path.relative_to(PACKAGE)) for path in FILES]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

INHERITED = {
    *("init", "forward", "apply", "build", "children", "connect"),  # Layer and Composite
    *("update", "compute", "each"),  # Metric
    *("batch", "fingerprint", "value"),  # sources and readers
    *("config", "checkpoints", "metrics", "summary", "plots"),  # paths named in their class's sentence
    *("compose_node", "ignore_aliases", "under", "write", "close", "step"),
}
"""Methods that say nothing new where a base, a protocol or their class has said it."""


def definitions(body: list[ast.stmt], inside: str = "") -> Iterator[tuple[str, Definition]]:
    """The public classes and functions of a module, and the public methods of its public classes."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield f"{inside}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node.body, f"{node.name}.")


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_everything_public_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text())
    silent = [
        name
        for name, node in definitions(tree.body)
        if not ast.get_docstring(node) and name.rpartition(".")[2] not in INHERITED
    ]
    assert silent == []


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_every_file_says_what_it_is_about(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {node.name: length(node) for node in functions if length(node) > MAX_FUNCTION_LINES}
    assert long == {}


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of code: a docstring, which may show shapes and examples, does not count."""
    docstring = node.body[0] if ast.get_docstring(node) else None
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    return lines - ((docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0)


MEMBERS = [(table, name) for table, members in TABLES.items() for name in members]


@pytest.mark.parametrize(("table", "name"), MEMBERS)
def test_every_member_of_every_table_explains_itself(table: str, name: str) -> None:
    member = TABLES[table][name]
    documentation = inspect.cleandoc(member.__doc__ or "")
    # A dataclass without a docstring is given its own signature as one.
    assert documentation and not documentation.startswith(f"{member.__name__}(")
    assert len(documentation.splitlines()[0]) >= 4
