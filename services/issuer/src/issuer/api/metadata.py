"""What a client has to know: OpenID Connect Discovery 1.0 and RFC 8414, the same document."""

from typing import Any
from urllib.parse import urlsplit

from issuer.domain.authorization import PERSONAL_SCOPES
from issuer.domain.client import GrantType
from issuer.signing.tokens import ID_TOKEN_ALG
from issuer.usecases.check_authorization_request import PROMPTS
from issuer.usecases.sign_in import ACR

OPENID_PATH = "/.well-known/openid-configuration"
OAUTH_PATH = "/.well-known/oauth-authorization-server"


def metadata(issuer: str, *, scopes: frozenset[str]) -> dict[str, Any]:
    """The document. Everything it names is there; nothing it names is planned."""
    methods = ["client_secret_basic", "client_secret_post"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "revocation_endpoint": f"{issuer}/revoke",
        "introspection_endpoint": f"{issuer}/introspect",
        "end_session_endpoint": f"{issuer}/logout",
        "scopes_supported": sorted(scopes | PERSONAL_SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [grant.value for grant in GrantType],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ID_TOKEN_ALG],
        "token_endpoint_auth_methods_supported": [*methods, "none"],
        "revocation_endpoint_auth_methods_supported": [*methods, "none"],
        "introspection_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "sub",
            "iss",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "acr",
            "sid",
            "name",
            "preferred_username",
            "email",
        ],
        "acr_values_supported": [ACR],
        "prompt_values_supported": sorted(PROMPTS),
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
    }


def path_of(issuer: str) -> str:
    """The path of an issuer's URL, under which its endpoints are; usually none."""
    return urlsplit(issuer).path.rstrip("/")


def oauth_path(issuer: str) -> str:
    """RFC 8414 section 3.1: an issuer's path comes after the well-known part."""
    return OAUTH_PATH + path_of(issuer)
