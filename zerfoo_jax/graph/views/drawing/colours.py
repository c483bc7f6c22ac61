"""The colours of pictures, as custom properties of CSS."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Colours:
    """Declarations for light and for dark screens."""

    light: str
    dark: str


def _declared(values: str) -> str:
    names = ("page", "ink", "faint", "plain", "line", "weights", "weights-line", "group", "group-line", "port", "edge", "mark")
    return " ".join(f"--{name}: {value};" for name, value in zip(names, values.split(), strict=True))


COLOURS = Colours(
    light=_declared("#ffffff #16202c #56616f #f1f3f5 #a9b3bd #e0edfc #6d9fd6 #8090a014 #a9b3bd #ffffff #6a7682 #ffd454"),
    dark=_declared("#14181d #e8ecf1 #a0acb9 #232a32 #56626f #1c344f #4d80b8 #a0b0c010 #56626f #2d353e #8996a3 #8a6500"),
)
