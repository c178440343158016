import os

from cli.issuer_admin import issuer_admin
from tests.support.postgres import apart
from tests.support.system import System


def test_no_setting_of_the_issuer_reaches_what_is_started_later(system: System) -> None:
    """`revocast up` opens the issuer and then starts servers: they must not inherit its address."""
    before = dict(os.environ)

    async def seen() -> dict[str, str]:
        async with issuer_admin(system.stack.environment("issuer")):
            return dict(os.environ)

    assert apart(seen()) == before
    assert dict(os.environ) == before
