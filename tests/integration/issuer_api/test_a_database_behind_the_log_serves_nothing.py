"""A database that may have forgotten (it was restored) answers 503 where it would have to know."""

from servicekit.postgres import Pool
from tests.support.issuer import a_code
from tests.support.issuer_api import API_SECRET, MACHINE_SECRET, SECRET, WEB, Api, error, good


async def test_nothing_is_issued_and_nothing_called_live(pool: Pool, api: Api) -> None:
    """Refresh, code, client credentials and introspection wait; `/revoke` goes on."""
    tokens, code = await api.tokens(), await a_code(api.parts.families, WEB)
    assert isinstance(code, str)
    refresh = tokens["refresh_token"]
    await pool.execute("SELECT begin_catching_up()")
    later = (503, "temporarily_unavailable")
    assert error(await api.token("refresh_token", refresh_token=refresh)) == later
    assert error(await api.redeem(code)) == later
    machine = ("machine", MACHINE_SECRET)
    assert error(await api.token("client_credentials", auth=machine)) == later
    for token in (tokens["access_token"], refresh):
        asked = await api.post("/introspect", {"token": token}, auth=("api", API_SECRET))
        assert error(asked) == later
    await pool.execute("SELECT note_level()")
    assert good(await api.token("refresh_token", refresh_token=refresh))
    assert error(await api.redeem(code)) == (400, "invalid_grant")  # codes do not outlive a restore


async def test_a_token_can_be_revoked_all_the_same(pool: Pool, api: Api) -> None:
    """What was revoked meanwhile is dead afterwards."""
    tokens = await api.tokens()
    await pool.execute("SELECT begin_catching_up()")
    refresh = tokens["refresh_token"]
    revoked = await api.post("/revoke", {"token": refresh}, auth=("web", SECRET))
    assert revoked.status_code == 200
    await pool.execute("SELECT note_level()")
    again = await api.token("refresh_token", refresh_token=refresh)
    assert error(again) == (400, "invalid_grant")


async def test_rows_that_were_loaded_are_not_believed(pool: Pool, api: Api) -> None:
    """The same row, deleted and written again as a load of a dump does, says nothing."""
    refresh = (await api.tokens())["refresh_token"]
    await pool.execute(
        "CREATE TABLE dumped AS SELECT * FROM level; DELETE FROM level;"
        " INSERT INTO level SELECT * FROM dumped"
    )
    assert (await api.token("refresh_token", refresh_token=refresh)).status_code == 503
