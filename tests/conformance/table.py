"""The table of what is proven: RFC, section, requirement, test. `python -m tests.conformance.table`
writes it from the tests' docstrings, which begin with their section."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE / "README.md"

_DOCSTRING = re.compile(r"(?P<sections>\d[\d.]*(?:, \d[\d.]*)*): (?P<requirement>.+)", re.DOTALL)

HEAD = """# Conformance

One test for each requirement of an RFC that an authorization server can be held to. Made by
`python -m tests.conformance.table`; a test fails while it is not current.

| RFC | section | requirement | test |
| --- | --- | --- | --- |
"""


class UnnumberedError(Exception):
    """A test whose docstring does not begin with a section."""


def render() -> str:
    """The whole file.

    Raises:
        UnnumberedError: a test does not say which section it is about.
    """
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in sorted(_rows(), key=_order))


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for folder in HERE.glob("rfc*"):
        for file in folder.glob("test_*.py"):
            yield from _rows_of(folder.name.removeprefix("rfc"), file)


def _rows_of(rfc: str, file: Path) -> Iterator[tuple[str, str, str, str]]:
    for node in ast.parse(file.read_text()).body:
        if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            continue
        if not node.name.startswith("test_"):
            continue
        docstring = " ".join((ast.get_docstring(node) or "").split())
        found = _DOCSTRING.fullmatch(docstring)
        if found is None:
            raise UnnumberedError(f"{file.name}: {node.name}")
        requirement = found["requirement"].replace("|", "\\|")
        place = f"[{node.name}]({file.relative_to(HERE)})"
        yield rfc, found["sections"], requirement, place


def _order(row: tuple[str, str, str, str]) -> tuple[int, list[int], str]:
    first = row[1].partition(",")[0]
    return int(row[0]), [int(number) for number in first.split(".")], row[3]


if __name__ == "__main__":
    TABLE.write_text(render())
