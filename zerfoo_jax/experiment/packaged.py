"""The configs that come with the package, found by bare name."""

from pathlib import Path

from zerfoo_jax.core.errors import ConfigError, nearest

FOLDER = Path(__file__).resolve().parent.parent / "configs"


def packaged_configs() -> dict[str, Path]:
    """Path by name of every packaged config."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


MODEL_SUFFIXES = (".entity", ".loom", ".onnx", ".safetensors", ".stablehlo", ".zmf")
"""Of model files, whose formats are not asked here because they bring JAX."""


def find_config(name: str) -> Path:
    """The config file that a command-line argument means: a path, or the bare name of a packaged one."""
    path = Path(name)
    if path.is_file() and path.suffix in MODEL_SUFFIXES:
        fix = f"look at it with `zerfoo inspect {name}`, or train from it with `model: {{file: {name}}}` in a config"
        raise ConfigError(f"{name!r} is a model file and no config", fix=fix)
    if path.is_file():
        return path
    packaged = packaged_configs()
    if name in packaged:
        return packaged[name]
    raise ConfigError(f"no config file {name!r}, and no packaged config of that name", fix=nearest(name, packaged))
