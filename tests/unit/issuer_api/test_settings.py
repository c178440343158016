from base64 import b64encode
from pathlib import Path

import pytest

from issuer.settings import IssuerSettings
from servicekit.settings import load

KEY = b64encode(bytes(range(32))).decode()
PREFIX = "REVOCAST_ISSUER_"
GOOD = {
    "URL": "https://id.example",
    "DATABASE_URL": "postgresql://issuer@db/revocast_issuer",
    "KAFKA_BOOTSTRAP": "kafka:9092",
    "KEY_ENCRYPTION_KEY": KEY,
    "REFRESH_MAC_KEYS": f"k2:{KEY},k1:{KEY}",
    "COOKIE_KEY": KEY,
    "PERSONAL_DATA_HASH_KEY": KEY,
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which the issuer starts."""
    for name, value in GOOD.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    return monkeypatch


def test_good_settings_are_read(environment: pytest.MonkeyPatch) -> None:
    """The first MAC key is the active one; the others still verify."""
    environment.delenv("NOTHING", raising=False)
    settings = load(IssuerSettings)
    assert (settings.mac_keys.active, set(settings.mac_keys.keys)) == ("k2", {"k1", "k2"})
    assert settings.key("cookie_key") == bytes(range(32))
    assert settings.port == 8400


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8400",
        "http://localhost:8400",
        "http://[::1]:8400",
        "https://id.example/tenant",
    ],
)
def test_issuers_are_https_or_local(environment: pytest.MonkeyPatch, url: str) -> None:
    """Without TLS the issuer serves its own machine only."""
    environment.setenv(f"{PREFIX}URL", url)
    assert load(IssuerSettings).url == url


BAD = {
    "http elsewhere": ("URL", "http://id.example"),
    "http on a name that looks local": ("URL", "http://localhost.id.example"),
    "no host": ("URL", "https://"),
    "a user": ("URL", "https://me@id.example"),
    "a query": ("URL", "https://id.example?a=b"),
    "an empty query": ("URL", "https://id.example?"),
    "a fragment": ("URL", "https://id.example#a"),
    "a slash at the end": ("URL", "https://id.example/"),
    "no URL": ("URL", "https://["),
    "a short key": ("KEY_ENCRYPTION_KEY", b64encode(b"x" * 31).decode()),
    "a long key": ("COOKIE_KEY", b64encode(b"x" * 33).decode()),
    "no base64": ("COOKIE_KEY", "!" * 44),
    "a short hash key": ("PERSONAL_DATA_HASH_KEY", b64encode(b"x" * 31).decode()),
    "a MAC key without id": ("REFRESH_MAC_KEYS", KEY),
    "a short MAC key": ("REFRESH_MAC_KEYS", "k1:" + b64encode(b"x" * 31).decode()),
    "two MAC keys of one id": ("REFRESH_MAC_KEYS", f"k1:{KEY},k1:{KEY}"),
    "an id that would break tokens": ("REFRESH_MAC_KEYS", f"k.1:{KEY}"),
    "an unknown algorithm": ("ACCESS_TOKEN_ALG", "HS256"),
    "a bound below the skew": ("MAX_STALENESS_SECONDS", "5"),
}


@pytest.mark.parametrize(("name", "value"), BAD.values(), ids=BAD.keys())
def test_bad_settings_are_refused_without_their_value(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    """A bad setting ends the process with status 78 and one line that names it, not its value."""
    environment.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(SystemExit) as ended:
        load(IssuerSettings)
    assert ended.value.code == 78
    said = capsys.readouterr().err
    assert said.startswith(f"{PREFIX}{name}: ")
    assert said.count("\n") == 1
    assert value not in said


@pytest.mark.parametrize("name", GOOD)
def test_nothing_secret_has_a_default(environment: pytest.MonkeyPatch, name: str) -> None:
    """Without any one of the required settings the issuer does not start."""
    environment.delenv(f"{PREFIX}{name}")
    with pytest.raises(SystemExit) as ended:
        load(IssuerSettings)
    assert ended.value.code == 78


def test_a_secret_may_come_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`..._FILE` names a file with the value; a newline at its end is not part of it."""
    (tmp_path / "key").write_text(b64encode(b"f" * 32).decode() + "\n")
    environment.delenv(f"{PREFIX}COOKIE_KEY")
    environment.setenv(f"{PREFIX}COOKIE_KEY_FILE", str(tmp_path / "key"))
    assert load(IssuerSettings).key("cookie_key") == b"f" * 32


def test_settings_do_not_show_secrets(environment: pytest.MonkeyPatch) -> None:
    """Neither `repr` nor `str` of the settings holds a key or the database's address."""
    environment.setenv(f"{PREFIX}DATABASE_URL", "postgresql://issuer:hush@db/revocast_issuer")
    settings = load(IssuerSettings)
    for text in (repr(settings), str(settings)):
        assert KEY not in text
        assert "hush" not in text
