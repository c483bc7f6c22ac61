"""Cases of recurrent operators, in all versions that changed them."""

import numpy as np

from tests.support.operator_cases.making import Cases, normal

CASES = Cases()
case = CASES.case

LENGTH, BATCH, FEATURES, HIDDEN = 5, 3, 4, 2
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def arrays(kind: str, directions: int, lengths: np.ndarray | None) -> list[np.ndarray | None]:
    """Input, weights, biases, lengths and first states."""
    rows = GATES[kind] * HIDDEN
    weights = [normal(directions, rows, FEATURES), normal(directions, rows, HIDDEN), normal(directions, 2 * rows)]
    states = [normal(directions, BATCH, HIDDEN) for _ in range(2 if kind == "LSTM" else 1)]
    return [normal(LENGTH, BATCH, FEATURES), *weights, lengths, *states]


for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
    shared = {"hidden_size": HIDDEN, "direction": direction}
    for lengths in (None, np.array([5, 2, 3], np.int32)):
        case("RNN", (7, 14), arrays("RNN", count, lengths), 2, clip=0.7, **shared)
        case("GRU", (7, 14), arrays("GRU", count, lengths), 2, **shared)
        case("GRU", (7,), arrays("GRU", count, lengths), 2, linear_before_reset=1, clip=0.4, **shared)
        peepholes = normal(count, 3 * HIDDEN)
        case("LSTM", (7, 14), [*arrays("LSTM", count, lengths), peepholes], 3, **shared)
        case("LSTM", (7,), arrays("LSTM", count, lengths), 3, clip=0.3, **shared)
        case("LSTM", (7,), [*arrays("LSTM", count, lengths), peepholes], 3, input_forget=1, **shared)
    chosen = {"activations": ["Affine", "LeakyRelu"][:count], "activation_alpha": [0.5, 0.2][:count], "activation_beta": [0.1]}
    case("RNN", (7,), arrays("RNN", count, None), 2, **chosen, **shared)
    chosen = {"activations": ["HardSigmoid", "ScaledTanh"] * count, "activation_alpha": [0.3, 1.1] * count}
    case("GRU", (7,), arrays("GRU", count, None), 2, activation_beta=[0.4, 0.9] * count, **chosen, **shared)
    chosen = {"activations": ["Sigmoid", "Softsign", "Elu"] * count, "activation_alpha": [0.6] * count}
    case("LSTM", (7,), arrays("LSTM", count, None), 3, **chosen, **shared)
    case("LSTM", (7,), arrays("LSTM", count, None)[:3], 3, **shared)
