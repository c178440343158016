from pathlib import Path

import yaml

from revocast_contracts.asyncapi import RELEASE, asyncapi_document
from revocast_contracts.generate import generate, generated_files
from tests.support.events import CONTRACTS


def contents(directory: Path) -> dict[str, bytes]:
    """The generated files that stand in a directory."""
    files = [
        *(directory / "schemas").iterdir(),
        directory / "asyncapi.yaml",
        directory / "topics.md",
    ]
    return {str(file.relative_to(directory)): file.read_bytes() for file in files}


def test_what_is_committed_is_what_would_be_generated(tmp_path: Path) -> None:
    """`make contracts` would change nothing: no file is stale, missing or left over."""
    generate(tmp_path)
    assert contents(CONTRACTS) == contents(tmp_path)


def test_a_stale_file_is_renewed_and_a_left_over_schema_removed(tmp_path: Path) -> None:
    """Generating again into a directory gives the same bytes, whatever was edited there."""
    generate(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "topics.md").write_text("stale")
    (tmp_path / "schemas/revocast.gone.away.v1.json").write_text("{}")
    assert contents(tmp_path) != before
    generate(tmp_path)
    assert contents(tmp_path) == before


def test_only_generated_files_are_written(tmp_path: Path) -> None:
    """Golden examples and released schemas are never the generator's."""
    generate(tmp_path)
    written = {str(f.relative_to(tmp_path)) for f in tmp_path.rglob("*") if f.is_file()}
    assert written == set(generated_files())
    assert not {name for name in written if name.startswith(("examples", "released"))}


def test_the_yaml_says_what_was_meant() -> None:
    """A YAML parser reads asyncapi.yaml as the document it was made from."""
    assert yaml.safe_load((CONTRACTS / "asyncapi.yaml").read_text()) == asyncapi_document()


def test_the_release_is_the_distributions_version() -> None:
    """asyncapi.yaml bears the version of the distribution."""
    assert f'\nversion = "{RELEASE}"\n' in (CONTRACTS / "pyproject.toml").read_text()
