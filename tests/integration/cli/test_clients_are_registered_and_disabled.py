"""`revocast clients`: what it registers can be used, and what it disables can not."""

from dataclasses import replace

import httpx
import jwt
import pytest

from tests.support.command import Command
from tests.support.deadlines import until_sync
from tests.support.ledger import Auditor
from tests.support.system import System

API = "https://api.example"


def test_a_registered_client_gets_a_token_with_the_printed_secret(
    system: System, elsewhere: Command
) -> None:
    """The command speaks to the issuer's database; the running issuer knows the client at once."""
    api = system.demo.urls["sample_api"]
    made = elsewhere(
        *("clients", "create", "batch", "--name", "Batch job", "--grant", "client_credentials"),
        *("--scope", "orders.read", "--resource", api),
    ).json
    assert set(made) == {"client_id", "client_secret"}
    answer = _token(system, "batch", made["client_secret"])
    assert answer.status_code == 200
    listed = {each["client_id"]: each for each in elsewhere("clients", "list").json}
    assert listed["batch"] == {
        "client_id": "batch",
        "name": "Batch job",
        "kind": "confidential",
        "grants": ["client_credentials"],
        "scope": "orders.read",
        "redirect_uris": [],
        "resources": [api],
        "state": "enabled",
    }
    assert made["client_secret"] not in elsewhere("clients", "list").stdout


def test_a_disabled_client_gets_nothing_and_its_token_dies(
    system: System, elsewhere: Command
) -> None:
    """It is refused at the issuer, its token at the API, and the audit knows who did it."""
    api = system.demo.urls["sample_api"]
    made = elsewhere(
        *("clients", "create", "doomed", "--grant", "client_credentials"),
        *("--scope", "orders.read", "--resource", api),
    ).json
    token = _token(system, "doomed", made["client_secret"]).json()["access_token"]
    with httpx.Client(timeout=10) as http:
        assert system.story(http).call_api(token).status_code == 200
        assert elsewhere("clients", "disable", "doomed").json == {
            "client_id": "doomed",
            "state": "disabled",
        }
        system.story(http).wait_for_denial(token, 0)
    seen: list[int] = []

    def unknown_to_the_issuer() -> bool:
        seen.append(_token(system, "doomed", made["client_secret"]).status_code)
        return seen[-1] == 401

    until_sync(unknown_to_the_issuer)
    assert set(seen) <= {400, 401}
    listed = {each["client_id"]: each["state"] for each in elsewhere("clients", "list").json}
    assert listed["doomed"] == "disabled"
    auditor = Auditor(system)

    def actors() -> list[str]:
        records = auditor.records(client="doomed", type="revocast.client.disabled.v1")
        return [record["event"]["data"]["actor"] for record in records]

    until_sync(lambda: actors() == ["command line"])


def test_a_public_client_has_no_secret(elsewhere: Command) -> None:
    """Nothing is printed that it could not keep."""
    made = elsewhere(
        *("clients", "create", "phone", "--public", "--native"),
        *("--redirect-uri", "http://127.0.0.1/cb", "--redirect-uri", "com.example.app:/cb"),
    ).json
    assert made == {"client_id": "phone"}
    listed = {each["client_id"]: each for each in elsewhere("clients", "list").json}
    assert listed["phone"]["kind"] == "public"
    assert listed["phone"]["redirect_uris"] == ["http://127.0.0.1/cb", "com.example.app:/cb"]


def test_a_client_is_exempted_from_pkce_and_then_needs_a_nonce(
    system: System, elsewhere: Command
) -> None:
    """Without a challenge it is let in with a nonce only; nobody else is let in without one."""
    to = ("--redirect-uri", f"{API}/cb")
    elsewhere("clients", "create", "exempt", *to, "--without-pkce")
    elsewhere("clients", "create", "strict", *to)
    assert _asked(system, "exempt", nonce="n").count('id="sign-in"')
    assert "error=invalid_request" in _asked(system, "exempt")
    assert "error=invalid_request" in _asked(system, "strict", nonce="n")


def test_a_client_introspects_and_is_returned_to_as_registered(
    system: System, elsewhere: Command
) -> None:
    """It may ask about the tokens of the client it names, and /logout leads to its address."""
    made = elsewhere(
        *("clients", "create", "gateway", "--redirect-uri", f"{API}/cb"),
        *("--introspects", "machine", "--post-logout-redirect-uri", f"{API}/bye"),
    ).json
    machine = system.demo.clients["machine"]
    token = _token(system, "machine", machine.client_secret or "").json()["access_token"]
    auth = ("gateway", made["client_secret"])
    url = f"{system.demo.issuer}/introspect"
    assert httpx.post(url, data={"token": token}, auth=auth).json()["active"] is True
    back = {"client_id": "gateway", "post_logout_redirect_uri": f"{API}/bye"}
    answer = httpx.get(f"{system.demo.issuer}/logout", params=back)
    assert answer.headers["location"] == f"{API}/bye"


def test_an_api_gets_tokens_of_the_profile_that_was_put(system: System, elsewhere: Command) -> None:
    """`jwt` is RS256 and `typ: JWT`; what is no URI of an API is refused in one line."""
    api = "https://old.example"
    elsewhere("resources", "put", api, "--profile", "jwt", "--scope", "orders.read")
    made = elsewhere(
        *("clients", "create", "older", "--grant", "client_credentials"),
        *("--scope", "orders.read", "--resource", api),
    ).json

    def made_so() -> bool:
        token = _token(system, "older", made["client_secret"]).json()["access_token"]
        header = jwt.get_unverified_header(token)
        return (header["alg"], header["typ"]) == ("RS256", "JWT")

    until_sync(made_so)  # the issuer remembers APIs for a moment
    assert "resource" in elsewhere("resources", "put", "no uri").why


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["lax", "--public", "--redirect-uri", f"{API}/cb", "--without-pkce"], "PKCE"),
        (["web"], "client_id: taken"),
        (["with space", "--redirect-uri", f"{API}/cb"], "client_id"),
        (["noredirect"], "redirect_uris"),
        (["fragment", "--redirect-uri", f"{API}/cb#x"], "fragment"),
        (["plain", "--redirect-uri", "http://api.example/cb"], "loopback"),
        (["badscope", "--redirect-uri", f"{API}/cb", "--scope", 'a"b'], "scope"),
        (["badapi", "--redirect-uri", f"{API}/cb", "--resource", "no uri"], "resource"),
        (["badname", "--redirect-uri", f"{API}/cb", "--name", "\x1b[31m"], "name"),
        (["public", "--public", "--grant", "client_credentials"], "client_credentials"),
        (["\udcff", "--redirect-uri", f"{API}/cb"], "client_id"),
    ],
)
def test_what_cannot_be_registered_is_told_in_one_line(
    elsewhere: Command, arguments: list[str], why: str
) -> None:
    """The rule that it breaks is named, and nothing is registered."""
    if arguments == ["web"]:
        arguments = ["web", "--redirect-uri", f"{API}/cb"]
    before = elsewhere("clients", "list").json
    assert why in elsewhere("clients", "create", *arguments).why
    assert elsewhere("clients", "list").json == before


@pytest.mark.parametrize("client_id", ["nobody", "' OR 1=1 --", "\udcff", "", 600 * "x"])
def test_an_unknown_client_cannot_be_disabled(elsewhere: Command, client_id: str) -> None:
    """Status 1 and a line, whatever the id."""
    told = elsewhere("clients", "disable", client_id).why
    assert told == "no such client, or it is disabled already"


def test_a_client_is_disabled_once(elsewhere: Command) -> None:
    """The second time nothing happens, and it says so."""
    elsewhere("clients", "create", "once", "--redirect-uri", f"{API}/cb")
    assert elsewhere("clients", "disable", "once").status == 0
    assert "already" in elsewhere("clients", "disable", "once").why


def test_a_port_of_the_demo_names_no_other_issuer(here: Command) -> None:
    """Who chose the demo's port in the shell still means the demo."""
    command = replace(here, settings={"REVOCAST_ISSUER_PORT": "8400"})
    assert "web" in {each["client_id"] for each in command("clients", "list").json}


def test_beside_the_demo_no_setting_is_needed(here: Command) -> None:
    """Where `make run` runs, the command finds the demo's issuer by itself."""
    assert {"web", "spa", "machine"} <= {each["client_id"] for each in here("clients", "list").json}


def _asked(system: System, client_id: str, **more: str) -> str:
    """What an authorization request without a challenge shows, or where it leads."""
    parameters = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": f"{API}/cb",
        "scope": "openid",
    }
    answer = httpx.get(f"{system.demo.issuer}/authorize", params=parameters | more)
    where: str = answer.headers.get("location", "")
    return where if answer.is_redirect else answer.text


def _token(system: System, client_id: str, secret: str) -> httpx.Response:
    grant = {"grant_type": "client_credentials", "scope": "orders.read"}
    return httpx.post(f"{system.demo.issuer}/token", data=grant, auth=(client_id, secret))
