from pathlib import Path

import pytest
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from servicekit.settings import EX_CONFIG, ServiceSettings, load

SECRET = "correct horse battery staple"


class Example(ServiceSettings):
    """Settings of a service that is none."""

    model_config = SettingsConfigDict(env_prefix="REVOCAST_EXAMPLE_")

    key: SecretStr
    port: int = Field(default=1, le=65535)
    sizes: tuple[int, ...] = ()

    @field_validator("key")
    @classmethod
    def _is_long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 8:
            raise ValueError("must be longer")
        return value


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("REVOCAST_EXAMPLE_KEY", SECRET)
    return monkeypatch


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        load(Example)
    assert ended.value.code == EX_CONFIG
    return capsys.readouterr().err


def test_settings_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    """A variable is read by prefix and name, the rest has its default."""
    environment.setenv("REVOCAST_EXAMPLE_PORT", "8400")
    settings = load(Example)
    assert (settings.key.get_secret_value(), settings.port) == (SECRET, 8400)
    assert SECRET not in repr(settings)


def test_any_setting_can_come_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`..._FILE` names a file; the newline at its end is not part of the value."""
    file = tmp_path / "key"
    file.write_text(f" {SECRET} \n")
    environment.delenv("REVOCAST_EXAMPLE_KEY")
    environment.setenv("REVOCAST_EXAMPLE_KEY_FILE", str(file))
    assert load(Example).key.get_secret_value() == f" {SECRET} "


def test_a_value_and_its_file_are_one_too_many(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which of two secrets counts is nothing to guess."""
    environment.setenv("REVOCAST_EXAMPLE_KEY_FILE", str(tmp_path))
    assert refused(capsys) == "REVOCAST_EXAMPLE_KEY_FILE and the value itself are both set\n"


@pytest.mark.parametrize(
    ("content", "why"), [(None, "can't be read: No such file"), (b"\xff\xfe", "is not UTF-8")]
)
def test_a_file_that_cannot_be_read_is_named(
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    why: str,
) -> None:
    """The line says which variable and why, not what was in the file."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    environment.delenv("REVOCAST_EXAMPLE_KEY")
    environment.setenv("REVOCAST_EXAMPLE_KEY_FILE", str(file))
    said = refused(capsys)
    assert said.startswith("REVOCAST_EXAMPLE_KEY_FILE: the file ")
    assert why in said


def test_every_problem_is_one_line_without_a_value(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad value is told by name and rule: it may be a secret in the wrong place."""
    environment.setenv("REVOCAST_EXAMPLE_KEY", "hunter2")
    environment.setenv("REVOCAST_EXAMPLE_PORT", "hunter3")
    lines = refused(capsys).splitlines()
    assert lines[0] == "REVOCAST_EXAMPLE_KEY: must be longer"
    assert lines[1].startswith("REVOCAST_EXAMPLE_PORT: ")
    assert len(lines) == 2
    assert "hunter" not in "".join(lines)


def test_a_missing_one_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What has no default and no value is told."""
    environment.delenv("REVOCAST_EXAMPLE_KEY")
    assert refused(capsys) == "REVOCAST_EXAMPLE_KEY: Field required\n"


def test_a_list_that_is_not_json_is_told(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lists are written in JSON; anything else ends in one line, too."""
    environment.setenv("REVOCAST_EXAMPLE_SIZES", "hunter2")
    said = refused(capsys)
    assert "sizes" in said
    assert "hunter2" not in said
    assert said.count("\n") == 1
