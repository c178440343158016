import os
from base64 import b64encode
from pathlib import Path

import pytest

from revocation.domain.detector import Rule
from revocation.settings import RevocationSettings
from servicekit.settings import EX_CONFIG, load

PREFIX = "REVOCAST_REVOCATION_"
KEY = os.urandom(32)
NEEDED = {
    "URL": "http://127.0.0.1:8401",
    "ISSUER_URL": "http://127.0.0.1:8400",
    "DATABASE_URL": "postgresql://secret@db/x",
    "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "PERSONAL_DATA_HASH_KEY": b64encode(KEY).decode(),
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in NEEDED.items():
        monkeypatch.setenv(PREFIX + name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_what_is_needed_is_enough() -> None:
    """Everything else has a default; every rule of the detector ends a family."""
    settings = load(RevocationSettings)
    assert settings.port == 8401
    assert settings.hash_key == KEY
    assert settings.detector_ends == frozenset(Rule)


def test_a_secret_may_stand_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`..._FILE` names the file of a secret."""
    other = os.urandom(32)
    file = tmp_path / "key"
    file.write_text(b64encode(other).decode() + "\n")
    environment.delenv(PREFIX + "PERSONAL_DATA_HASH_KEY")
    environment.setenv(PREFIX + "PERSONAL_DATA_HASH_KEY_FILE", str(file))
    assert load(RevocationSettings).hash_key == other


@pytest.mark.parametrize(
    ("value", "rules"),
    [
        ("", set()),
        ("replayed_in_succession", {Rule.REPLAYED_IN_SUCCESSION}),
        (
            " generation_rotated_twice , replayed_in_succession",
            {Rule.GENERATION_ROTATED_TWICE, Rule.REPLAYED_IN_SUCCESSION},
        ),
    ],
)
def test_rules_that_end_are_a_list(
    environment: pytest.MonkeyPatch, value: str, rules: set[Rule]
) -> None:
    """The rules are separated by commas; an empty list only watches."""
    environment.setenv(PREFIX + "DETECTOR_ENDS", value)
    assert load(RevocationSettings).detector_ends == rules


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PERSONAL_DATA_HASH_KEY", "c2hvcnQ="),
        ("PERSONAL_DATA_HASH_KEY", "not/base64!"),
        ("DETECTOR_ENDS", "a_rule_of_dreams"),
        ("MAX_STALENESS_SECONDS", "5"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_setting_ends_the_start(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    """Status 78 and a line that names the setting, never its value."""
    environment.setenv(PREFIX + name, value)
    with pytest.raises(SystemExit) as ended:
        load(RevocationSettings)
    assert ended.value.code == EX_CONFIG
    told = capsys.readouterr().err
    assert told.startswith(PREFIX + name)
    assert value not in told
