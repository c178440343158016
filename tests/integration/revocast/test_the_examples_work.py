import asyncio
import re
import socket
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.integration.revocast.log import Log
from tests.integration.revocast.support import IssuerServer, until
from tests.unit.revocast.support import entry, members, sign

ROOT = Path(__file__).parents[3]
README = ROOT / "libs/revocast/README.md"
PREFIX = "REVOCAST_SAMPLE_API_"


async def test_the_quick_start_protects_its_route(log: Log, issuer: IssuerServer) -> None:
    """The code of the README, as it stands there, but for the addresses."""
    code = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    assert len(code.splitlines()) <= 20
    code = code.replace("http://127.0.0.1:8400", issuer.url).replace(
        "127.0.0.1:19092", log.bootstrap
    )
    names: dict[str, Any] = {}
    exec(compile(code, str(README), "exec"), names)  # noqa: S102 - our own README
    app, guard = names["app"], names["guard"]
    transport = httpx.ASGITransport(app=app)
    async with (
        log.ticking(),
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        await until(lambda: guard.ready)
        claims = members(iss=issuer.url, aud="http://127.0.0.1:8403")
        headers = {"Authorization": f"Bearer {sign(claims)}"}
        answer = await client.get("/orders", headers=headers)
        assert (answer.status_code, answer.json()) == (200, "the orders of person-1")
        await log.say(entry())
        await until(lambda: guard.stats.entries)
        assert (await client.get("/orders", headers=headers)).status_code == 401


async def test_the_sample_api_is_a_process(log: Log, issuer: IssuerServer, tmp_path: Path) -> None:
    """It starts from its environment, protects `/orders`, and ends at SIGTERM."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {
        "URL": url,
        "ISSUER_URL": issuer.url,
        "KAFKA_BOOTSTRAP": log.bootstrap,
        "PORT": str(port),
        "JWKS_PATH": str(tmp_path / "keys.json"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "examples.sample_api",
        cwd=ROOT,
        env={PREFIX + name: value for name, value in settings.items()},
    )
    try:
        async with log.ticking(), httpx.AsyncClient(base_url=url, trust_env=False) as client:
            await _answers(client, "/livez")
            await _answers(client, "/readyz")
            assert (await client.get("/public")).status_code == 200
            assert (await client.get("/orders")).status_code == 401
            token = sign(members(iss=issuer.url, aud=url))
            headers = {"Authorization": f"Bearer {token}"}
            assert (await client.get("/orders", headers=headers)).status_code == 200
            await log.say(entry())
            await _answers(client, "/orders", status=401, headers=headers)
            assert (tmp_path / "keys.json").exists()
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def test_the_sample_api_names_what_is_missing() -> None:
    """One line, and no start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "examples.sample_api",
        cwd=ROOT,
        env={},
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()
    assert process.returncode == 1
    assert error.decode().strip() == "REVOCAST_SAMPLE_API_ISSUER_URL is not set"


async def _answers(
    client: httpx.AsyncClient,
    path: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> None:
    for _ in range(400):
        try:
            if (await client.get(path, headers=headers)).status_code == status:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path} did not answer {status} in time")
