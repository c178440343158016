"""The least that a refresh can be in Python, for `bench.regression`: `python -m bench.floor PORT`.

One Starlette handler: a form, an UPDATE that compares and swaps, an ES256 signature, JSON. Nothing
of client authentication, events, grace or coalescing: what the issuer adds is compared with it.
"""

import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import asyncpg
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

CONNECTIONS = 16
FAMILIES = 64
SWAP = "UPDATE floor_family SET generation = $2 + 1 WHERE id = $1 AND generation = $2 RETURNING 1"


def app(dsn: str) -> Starlette:
    """The server; its families have the refresh tokens `0.1` to `63.1`."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "floor", "alg": "ES256"}

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
            await pool.execute("DROP TABLE IF EXISTS floor_family")
            await pool.execute(
                "CREATE TABLE floor_family (id int PRIMARY KEY, generation int NOT NULL)"
                " WITH (fillfactor = 20)"
            )
            await pool.execute(
                "INSERT INTO floor_family SELECT n, 1 FROM generate_series(0, $1 - 1) AS n",
                FAMILIES,
            )
            app.state.pool = pool
            yield

    async def token(request: Request) -> JSONResponse:
        form = parse_qs((await request.body()).decode())
        family, generation = map(int, form["refresh_token"][0].split("."))
        if not await request.app.state.pool.fetchval(SWAP, family, generation):
            return JSONResponse({"error": "invalid_grant"}, 400)
        claims = {"sub": str(family), "iat": int(time.time()), "exp": int(time.time()) + 600}
        return JSONResponse(
            {
                "access_token": jwt.encode(claims, key, "ES256", headers={"kid": "floor"}),
                "refresh_token": f"{family}.{generation + 1}",
            }
        )

    async def jwks(_: Request) -> JSONResponse:
        return JSONResponse({"keys": [public]})

    routes = [Route("/token", token, methods=["POST"]), Route("/jwks", jwks)]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(
        app(os.environ["FLOOR_DATABASE_URL"]),
        port=int(sys.argv[1]),
        loop="uvloop",
        access_log=False,
        log_level="warning",
    )
