#!/usr/bin/env python3
"""Runs ONNX's own tests through `zerfoo_jax.formats.onnx.backend` and prints what fails and why.

scripts/onnx_node_tests.py [--kind node] [--filter REGEX] [--expanded] [--every N] [--quiet]
"""

import argparse
from collections import Counter
from pathlib import Path
import re
import sys

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.onnx_cases import KINDS, cases, is_expanded, run


def main() -> None:
    """Runs what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, action="append", help="which tests; all kinds by default")
    parser.add_argument("--filter", default="", help="a regular expression that is searched for in the tests' names")
    parser.add_argument("--expanded", action="store_true", help="run the _expanded tests, and not the plain ones")
    parser.add_argument("--every", type=int, default=1, help="only every so manieth test")
    parser.add_argument("--quiet", action="store_true", help="print only counts")
    arguments = parser.parse_args()
    for kind in arguments.kind or KINDS:
        chosen = [one for one in cases(kind) if re.search(arguments.filter, one.name)]
        chosen = [one for one in chosen if is_expanded(one) == arguments.expanded][:: arguments.every]
        results = {one.name: run(one) for one in chosen}
        failed = {name: why for name, why in results.items() if why}
        if not arguments.quiet:
            for name, why in failed.items():
                print(f"{name}: {why}")
        print(f"{kind}: {len(results) - len(failed)} of {len(results)} pass", flush=True)
        reasons = Counter(why.split(";")[0] for why in failed.values() if "is not supported" in why)
        for reason, count in reasons.most_common():
            print(f"  {count:4} {reason}")


if __name__ == "__main__":
    main()
