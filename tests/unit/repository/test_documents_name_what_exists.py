"""A document that names a file names one that is there; the life of a token names its events."""

import re
from pathlib import Path

import pytest

from revocast_contracts.topics import ISSUER_ACTIVITY, SECURITY_SIGNALS, TOKEN_LIFECYCLE, Topic

ROOT = Path(__file__).parents[3]
INTEGRATION = ROOT / "tests/integration"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMED = re.compile(r"`((?:[\w.-]+/)+test_\w+\.py)`|`(tests/[\w/.-]+)`|\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_leads_somewhere(document: Path) -> None:
    """Links are relative to the document, paths of tests to the root or to `tests/integration`."""
    missing = [
        name
        for found in NAMED.finditer(document.read_text())
        for name in filter(None, found.groups())
        if not any((place / name).exists() for place in (document.parent, ROOT, INTEGRATION))
    ]
    assert missing == []


def test_paths_are_found() -> None:
    """The documents name many files."""
    promises = (ROOT / "docs/promises.md").read_text()
    assert len(NAMED.findall(promises)) > 30


@pytest.mark.parametrize(
    "topic", [TOKEN_LIFECYCLE, SECURITY_SIGNALS, ISSUER_ACTIVITY], ids=lambda topic: topic.noun
)
def test_the_life_of_a_token_names_every_event(topic: Topic) -> None:
    """Whatever is said of tokens, verdicts and people stands beside what makes it be said."""
    told = (ROOT / "docs/lifecycle.md").read_text()
    names = [each.event_type.removeprefix("revocast.").removesuffix(".v1") for each in topic.types]
    assert [name for name in names if f"`{name}`" not in told] == []
