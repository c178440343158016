import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
LIMITS = {"tests": 500}
LIMIT = 400


def sources() -> list[Path]:
    """Every Python and SQL file of ours, committed or about to be."""
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "-co", "--exclude-standard", "*.py", "*.sql"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    named = [Path(line) for line in listed.stdout.splitlines()]
    if listed.returncode != 0:  # an archive without git
        named = [
            file.relative_to(CHECKOUT)
            for pattern in ("*.py", "*.sql")
            for place in ("contracts", "libs", "services", "tests", "bench", "examples")
            for file in (CHECKOUT / place).rglob(pattern)
        ]
    return [file for file in named if (CHECKOUT / file).exists()]


def test_no_file_is_too_long() -> None:
    """No source file has more than 400 lines, no test file more than 500."""
    lengths = {file: len((CHECKOUT / file).read_text().splitlines()) for file in sources()}
    assert len(lengths) > 100
    too_long = {
        str(file): lines
        for file, lines in lengths.items()
        if lines > LIMITS.get(file.parts[0], LIMIT)
    }
    assert too_long == {}


@pytest.mark.parametrize("name", ["utils", "common", "helpers", "manager", "base"])
def test_no_file_is_named_after_nothing(name: str) -> None:
    """Every module is named after what it guarantees."""
    assert [file for file in sources() if file.stem == name] == []
