import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from revocast_contracts.codec import TYPES
from revocast_contracts.topics import TOPIC_BY_NOUN, TOPICS

CHECKOUT = Path(__file__).parents[2]
MEMBERS = sorted(CHECKOUT.glob("services/*/src")) + sorted(CHECKOUT.glob("libs/*/src"))
SQL = [file for member in MEMBERS for file in sorted(member.rglob("*.sql"))]
NAMES = {topic.name for topic in TOPICS} | set(TYPES)
NAME = re.compile(r"revocast\.[a-z_.-]+\.v\d+")
BUILD = "jsonb_build_object("


def texts(tree: ast.AST) -> Iterator[str]:
    """Every text of a module that is nothing else, pieces of f-strings included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def named(text: str) -> bool:
    """Whether a text is the name of a topic or type, known or made up, or the start of one."""
    starts = any(text.startswith(f"revocast.{topic.noun}") for topic in TOPICS)
    return NAME.fullmatch(text) is not None or starts or text == "revocast."


def objects(sql: str) -> Iterator[str]:
    """The arguments of each call that builds a JSON object."""
    for found in re.finditer(re.escape(BUILD), sql):
        depth, end = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        yield sql[found.end() : end - 1]


def keys(arguments: str) -> list[str]:
    """The names among a built object's arguments: every other one, at the top level."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(arguments):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(arguments[start:place])
            start = place + 1
    parts.append(arguments[start:])
    return [part.strip().strip("'") for part in parts[::2]]


def test_python_names_no_topic_or_type() -> None:
    """Services and libraries take names from the contracts; a rename there is a rename here."""
    assert len(MEMBERS) == 9
    found = {
        f"{file.relative_to(CHECKOUT)}: {text}"
        for member in MEMBERS
        for file in member.rglob("*.py")
        for text in texts(ast.parse(file.read_text()))
        if named(text)
    }
    assert found == set()


@pytest.mark.parametrize("name", [*sorted(NAMES), "revocast.new.thing.v2", "revocast."])
def test_a_name_in_a_text_would_be_found(name: str) -> None:
    """The rule above sees each name that there is, and those that there are not."""
    assert any(named(text) for text in texts(ast.parse(f"x = {name!r}")))


@pytest.mark.parametrize("file", SQL, ids=lambda file: file.name)
def test_sql_names_only_what_is_registered(file: Path) -> None:
    """SQL can't import; each type and topic it names is one of the contracts'."""
    text = file.read_text()
    assert {found for found in NAME.findall(text) if found not in NAMES} == set()
    nouns = set(re.findall(r"'([a-z]+(?:-[a-z]+)+)'", text))
    assert nouns <= set(TOPIC_BY_NOUN)


def test_sql_says_only_members_that_models_have() -> None:
    """Each member that SQL puts into an event is a member of a type which that file names."""
    seen = 0
    for file in SQL:
        text = file.read_text()
        said = [TYPES[name] for name in set(NAME.findall(text))]
        known = {member for model in said for member in model.model_fields}
        for arguments in objects(text):
            seen += 1
            assert set(keys(arguments)) <= known, file.name
    assert seen >= 7
