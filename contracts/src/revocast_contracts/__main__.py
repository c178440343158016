"""`python -m revocast_contracts`: writes the generated files of this checkout's `contracts/`."""

import sys
from pathlib import Path

from revocast_contracts.generate import generate


def main() -> None:
    """Refuses where the package is not the checkout's: there is nothing to write to."""
    contracts = Path(__file__).parents[2]
    if not (contracts / "pyproject.toml").is_file():
        sys.exit("revocast_contracts is not installed from a checkout: nothing to generate into")
    generate(contracts)


if __name__ == "__main__":
    main()
