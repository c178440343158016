from tests.support.issuer import REDIRECT_URI, a_code
from tests.support.issuer_api import (
    MACHINE_SECRET,
    OTHER_SECRET,
    SECRET,
    SPA,
    WEB,
    Api,
    error,
    good,
)

AS_MACHINE = ("machine", MACHINE_SECRET)


async def test_basic_is_supported(api: Api) -> None:
    """2.3.1: The server MUST support HTTP Basic for clients that were issued a password."""
    good(await api.token("client_credentials", auth=AS_MACHINE))


async def test_credentials_are_not_taken_from_the_uri(api: Api) -> None:
    """2.3.1: Credentials in a request MUST NOT be in its URI: there they count for nothing."""
    query = f"/token?client_id=machine&client_secret={MACHINE_SECRET}"
    response = await api.post(query, {"grant_type": "client_credentials"})
    assert error(response) == (401, "invalid_client")


async def test_guessing_is_limited(api: Api) -> None:
    """2.3.1: The server MUST protect an endpoint that takes a password against brute force."""
    api.parts.guesses.clock = lambda: 0.0
    answers = [
        await api.token("client_credentials", auth=("machine", f"wrong {number}"))
        for number in range(40)
    ]
    assert error(answers[-1])[0] == 429
    assert "retry-after" in answers[-1].headers


async def test_one_method_at_a_time(api: Api) -> None:
    """2.3: The client MUST NOT use more than one authentication method in a request."""
    form = {"client_id": "machine", "client_secret": MACHINE_SECRET}
    response = await api.token("client_credentials", auth=AS_MACHINE, **form)
    assert error(response) == (400, "invalid_request")


async def test_confidential_clients_must_authenticate_with_codes(api: Api) -> None:
    """3.2.1: Confidential clients MUST authenticate at the token endpoint (also 4.1.3)."""
    code = await a_code(api.parts.families, WEB)
    assert isinstance(code, str)
    response = await api.redeem(code, auth=None, client_id="web")
    assert error(response) == (401, "invalid_client")
    good(await api.redeem(code))


async def test_confidential_clients_must_authenticate_with_refresh_tokens(api: Api) -> None:
    """6: The server MUST require client authentication for confidential clients."""
    token = (await api.tokens())["refresh_token"]
    response = await api.token("refresh_token", auth=None, client_id="web", refresh_token=token)
    assert error(response) == (401, "invalid_client")
    good(await api.token("refresh_token", refresh_token=token))


async def test_authentication_that_is_included_is_verified(api: Api) -> None:
    """4.1.3: The server MUST authenticate the client if client authentication is included."""
    code = await a_code(api.parts.families, SPA)
    assert isinstance(code, str)
    assert error(await api.redeem(code, auth=("spa", "a secret"))) == (401, "invalid_client")
    assert error(await api.redeem(code, auth=("web", "wrong"))) == (401, "invalid_client")
    good(await api.redeem(code, auth=None, client_id="spa"))


async def test_public_clients_say_who_they_are(api: Api) -> None:
    """4.1.3: A client that does not authenticate MUST send its `client_id`."""
    code = await a_code(api.parts.families, SPA)
    assert isinstance(code, str)
    assert error(await api.redeem(code, auth=None)) == (401, "invalid_client")


async def test_only_confidential_clients_use_their_own_credentials(api: Api) -> None:
    """4.4: The client credentials grant MUST only be used by confidential clients."""
    response = await api.token("client_credentials", auth=None, client_id="spa")
    assert error(response) == (400, "unauthorized_client")


async def test_client_credentials_must_authenticate(api: Api) -> None:
    """4.4.2: The client MUST authenticate with the authorization server."""
    response = await api.token("client_credentials", auth=None, client_id="machine")
    assert error(response) == (401, "invalid_client")


async def test_a_failed_basic_is_answered_401_with_its_scheme(api: Api) -> None:
    """5.2: A failure in the Authorization header MUST be answered 401 with its scheme."""
    for auth in (("machine", "wrong"), ("nobody", "wrong")):
        response = await api.token("client_credentials", auth=auth)
        assert error(response) == (401, "invalid_client")
        assert response.headers["www-authenticate"].startswith("Basic ")


async def test_another_clients_authentication_is_no_good(api: Api) -> None:
    """10.5: The server MUST ensure that a code was issued to the client that presents it."""
    code = await a_code(api.parts.families, WEB)
    assert isinstance(code, str)
    response = await api.redeem(code, auth=("other", OTHER_SECRET), redirect_uri=REDIRECT_URI)
    assert error(response) == (400, "invalid_grant")
    good(await api.redeem(code, auth=("web", SECRET)))
