"""What a person or a program gets to see of a command."""

import hashlib
import io
import json
import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from contextlib import redirect_stdout

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.shown import show, show_rows

ROWS = [{"name": "\x1b[2J[red]you\u202eevil[/red]\x07", "grants": ["b", "a"], "more": None}]
COLUMNS = ("name", "grants", "more")


class Terminal(io.StringIO):
    """A standard output that says it is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A wide terminal without colours."""
    for name, value in {"COLUMNS": "120", "TERM": "dumb", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    return Terminal()


def test_a_pipe_gets_all_as_json() -> None:
    """Nothing is cut to a width, and every member is there."""
    with redirect_stdout(io.StringIO()) as pipe:
        show_rows(ROWS, columns=COLUMNS, whole={"rows": ROWS, "next": None})
    assert json.loads(pipe.getvalue()) == {"rows": ROWS, "next": None}
    assert pipe.getvalue().isascii()


def test_a_terminal_gets_a_table_that_nobody_can_style(terminal: Terminal) -> None:
    """What others wrote is text: no markup, no control sequence, no turned direction."""
    with redirect_stdout(terminal):
        show_rows(ROWS, columns=COLUMNS, whole=None)
    told = terminal.getvalue()
    assert "[red]you\N{REPLACEMENT CHARACTER}evil[/red]" in told
    assert "a b" in told
    assert not {"\x1b", "\x07", "\u202e"} & set(told)


def test_json_on_a_terminal_is_inert_too(terminal: Terminal) -> None:
    """Escapes stay escaped."""
    with redirect_stdout(terminal):
        show({"reason": "\x1b[2J\x9b31m\u202e"})
    assert json.loads(terminal.getvalue()) == {"reason": "\x1b[2J\x9b31m\u202e"}
    assert terminal.getvalue().isascii()


def test_pkce_prints_a_pair_that_fits() -> None:
    """The challenge is the verifier's S256 (RFC 7636 4.2), and each run makes another one."""
    first, second = (json.loads(CliRunner().invoke(app, ["pkce"]).stdout) for _ in range(2))
    assert set(first) == {"code_verifier", "code_challenge", "code_challenge_method"}
    digest = hashlib.sha256(first["code_verifier"].encode()).digest()
    assert first["code_challenge"] == urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert 43 <= len(first["code_verifier"]) <= 128
    assert first["code_challenge_method"] == "S256"
    assert first["code_verifier"] != second["code_verifier"]


@pytest.mark.parametrize(
    "command",
    [
        "",
        "up",
        "story",
        "pkce",
        "revoke",
        "clients create",
        "clients list",
        "clients disable",
        "users create",
        "keys list",
        "audit records",
        "audit family",
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    """`--help` ends well and says what the command is for."""
    helped = CliRunner().invoke(app, [*command.split(), "--help"])
    assert helped.exit_code == 0
    assert "Usage" in helped.stdout


def test_an_unexpected_error_shows_no_values() -> None:
    """A traceback of ours never prints the values of variables: passwords are among them."""
    code = (
        "from cli.main import app\n"
        "@app.command()\n"
        "def broken(password: str) -> None:\n"
        "    raise RuntimeError('unexpected')\n"
        "app(['broken', 'hidden-password'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert ended.returncode == 1
    assert "unexpected" in ended.stderr
    assert "hidden-password" not in ended.stderr.replace("app(['broken', 'hidden-password'])", "")


def test_it_runs_as_a_module() -> None:
    """`python -m cli` is the command."""
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "pkce"], capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stdout)["code_challenge_method"] == "S256"
