"""What people see: sign-in, consent, sign-out. `router(...)` is all that app.py needs."""

from issuer.pages.routes import router

__all__ = ["router"]
