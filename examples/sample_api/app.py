"""A resource server: `/orders` needs the scope `orders.read`, everything else is open."""

from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse

from revocast import Claims, Guard
from revocast.fastapi import requires


def make_app(guard: Guard) -> FastAPI:
    """The application; the guard runs as long as it does."""
    app = FastAPI(title="Sample API", lifespan=guard.lifespan)

    @app.get("/orders")
    async def orders(
        caller: Annotated[Claims, Depends(requires(guard, "orders.read"))],
    ) -> dict[str, object]:
        return {"orders": [{"id": 1, "item": "tea"}, {"id": 2, "item": "bread"}], "of": caller.sub}

    @app.get("/public")
    async def public() -> dict[str, str]:
        return {"greeting": "hello"}

    @app.get("/livez")
    async def livez() -> dict[str, bool]:
        return {"live": True}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        trouble = guard.trouble()
        status = 200 if trouble is None else 503
        return JSONResponse({"ready": trouble is None, "why": trouble}, status_code=status)

    return app
