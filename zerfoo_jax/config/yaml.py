"""YAML 1.2 (core schema) with the place of every value, read safely.

The stock loader follows YAML 1.1, where `1e-4` is text, `no` is false and `010` is eight; here `1e-4` is a number, `no` stays
text and `010` is ten. Files are untrusted: no tags, no merge keys, no duplicate keys, and limits on size, depth and aliases.
"""

from dataclasses import dataclass, field
from pathlib import Path
import re
from typing import Any

import yaml
from yaml.reader import ReaderError

from zerfoo_jax.config.paths import PathKey
from zerfoo_jax.core.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_NODES = 20_000
MAX_DEPTH = 64
MAX_DIGITS = 1000


@dataclass(frozen=True)
class Document:
    """A parsed file: its value, and where each part of it stands, by path."""

    value: Any
    places: dict[PathKey, str] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the implicit types of the YAML 1.2 core schema; refuses on the way what is not plain and bounded."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML keeps its table on the class

    def __init__(self, text: str):
        super().__init__(text)
        self._count = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        self._count += 1
        self._depth += 1
        if self._count > MAX_NODES or self._depth > MAX_DEPTH:
            raise _refused(TOO_LARGE, event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _refused(f"tag {event.tag!r} is not allowed, write the plain value", event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            _check_scalar(event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _check_scalar(event: yaml.ScalarEvent) -> None:
    if event.value == "<<" and event.style is None:
        raise _refused("merge keys are not allowed, write the keys out", event.start_mark)
    if SURROGATE.search(event.value):
        raise _refused("half of a surrogate pair is not text", event.start_mark)


TOO_LARGE = f"over {MAX_NODES} values, or nested over {MAX_DEPTH} deep"


def _refused(what: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=mark)


_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


SURROGATE = re.compile("[\ud800-\udfff]")


def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})\Z")


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", _whole(r"~|null|Null|NULL|"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _whole(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _whole(_INT.pattern), list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _whole(_FLOAT.pattern), list("-+.0123456789"))


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    if len(text) > MAX_DIGITS:
        raise _refused(f"an integer of {len(text)} digits", node.start_mark)
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text, 10)


def _construct_float(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node).lower().replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)


def read(path: Path) -> Document:
    """The document in a file; `ConfigError` with `file:line:col` for anything that is not plain, bounded YAML."""
    return parse(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The text in a file; `ConfigError` where there is none, it is too long, or it is not UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read config {str(path)!r}: {error.strerror}", fix="check the path") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"config is over {MAX_BYTES} bytes", place=str(path), fix="put data into files of their own")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(str(path), data[: error.start].decode())
        raise ConfigError(f"config is not UTF-8 text: {error.reason}", place=place, fix="save the file as UTF-8") from error


def expect_short(text: str, name: str) -> None:
    """Raises `ConfigError` for a text that is longer than a file may be, and for what is no text."""
    if not isinstance(text, str):
        raise ConfigError(f"a text is needed, got a {type(text).__name__}", place=name)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigError(f"the text is over {MAX_BYTES} bytes", place=name, fix="put data into files of their own")


def _place(name: str, before: str) -> str:
    """The place right behind a text."""
    lines = before.split("\n")
    return f"{name}:{len(lines)}:{len(lines[-1]) + 1}"


def parse(text: str, name: str = "<text>") -> Document:
    """The document in a text.

    >>> parse("rate: 1e-4\\nflag: no\\ncount: 010").value
    {'rate': 0.0001, 'flag': 'no', 'count': 10}
    """
    expect_short(text, name)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        reader = _Reader(loader, name)
        return Document(None if node is None else reader.value(node, ()), reader.places)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        problem = error.problem or ""
        cause = problem if problem and not problem.startswith("but ") else f"{error.context} {problem}".rstrip()
        raise ConfigError(f"not plain YAML: {cause}", place=place) from error
    except ReaderError as error:
        cause = f"not plain YAML: character {error.character:#x} is not text"
        raise ConfigError(cause, place=_place(name, text[: error.position]), fix="remove it") from error
    except (ValueError, OverflowError) as error:  # PyYAML's own, for an escape such as "\\UFFFFFFFF"
        raise ConfigError(f"not plain YAML: {error}", place=name) from error


@dataclass
class _Reader:
    loader: _Loader
    name: str
    places: dict[PathKey, str] = field(default_factory=dict)
    count: int = 0

    def value(self, node: yaml.Node, path: PathKey) -> Any:
        self.count += 1
        self.places[path] = f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        if self.count > MAX_NODES or len(path) > MAX_DEPTH:  # again: here aliases are followed
            raise _refused(TOO_LARGE, node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: PathKey) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = f"{self.name}:{key_node.start_mark.line + 1}:{key_node.start_mark.column + 1}"
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError("a key must be plain text", place=place, fix="write key: value")
            key = key_node.value  # as it is written: `010` or `true` is a name here
            if key in result:
                raise ConfigError(f"key {key!r} stands twice in the same mapping", place=place, fix="remove one of them")
            result[key] = self.value(value_node, (*path, key))
            self.places[(*path, key)] = place  # the key's own place reads better than its value's
        return result


def dump(value: Any) -> str:
    """Plain YAML text that `parse` reads back to an equal value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Quotes what only YAML 1.2 would read as a number, so that every reader agrees; writes shared parts out in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_float(dumper: _Dumper, number: float) -> yaml.ScalarNode:
    text = repr(number).replace("inf", ".inf").replace("nan", ".nan")
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    number = _INT.fullmatch(text) or _FLOAT.fullmatch(text)
    # Escaped where it holds line breaks or other marks: the other styles fold some of them into spaces.
    style = '"' if not text.isprintable() else "'" if number else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(float, _represent_float)
_Dumper.add_representer(str, _represent_text)
