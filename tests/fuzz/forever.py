"""Runs atheris on one property until it fails: see README.md."""

import sys

import atheris

with atheris.instrument_imports(include=["cometgem"]):
    from fuzz.targets import PARSING, TARGETS

from hypothesis import HealthCheck, given, settings


def main() -> None:
    """Run the property named by the first argument; the other arguments go to libFuzzer."""
    properties = {holds.__name__: holds for holds in TARGETS}
    holds = properties.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if holds is None:
        raise SystemExit("the first argument must be one of\n  " + "\n  ".join(properties))

    def try_bytes(data: bytes) -> None:
        holds(data[2:], int.from_bytes(data[:2]))

    if holds not in PARSING:
        relaxed = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
        try_bytes = relaxed(given(*TARGETS[holds])(holds)).hypothesis.fuzz_one_input
    atheris.Setup([sys.argv[0], *sys.argv[2:]], try_bytes)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
