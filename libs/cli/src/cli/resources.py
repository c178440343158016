"""`revocast resources`: how tokens for each API are made."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.issuer_admin import Admin, administer
from cli.shown import fail, show
from issuer.domain.client import Resource
from issuer.usecases.clients import RegistrationRefused, put_resource

resources = typer.Typer(
    no_args_is_help=True,
    help="Say how tokens for an API are made; one that nobody put here gets RFC 9068 tokens.",
)


class Profile(StrEnum):
    """What an access token looks like."""

    RFC9068 = "rfc9068"
    JWT = "jwt"


@resources.command()
def put(
    uri: Annotated[str, typer.Argument(help="The API's base URL: the `aud` of its tokens.")],
    profile: Annotated[
        Profile,
        typer.Option(help="jwt: `typ: JWT` and RS256, for decoders that know nothing else."),
    ] = Profile.RFC9068,
    scope: Annotated[str, typer.Option(help="All that it knows, space-separated.")] = "",
) -> None:
    """Add an API, or change how its tokens are made from now on."""
    alg = "RS256" if profile is Profile.JWT else "ES256"
    api = Resource(uri=uri, profile=profile, alg=alg, scopes=frozenset(scope.split()))

    async def keep(admin: Admin) -> RegistrationRefused | None:
        return await put_resource(admin.pool, api)

    if (refused := administer(keep)) is not None:
        fail(refused.why)
    show({"resource": uri, "profile": profile, "alg": alg})
