"""The rules of an authorization request, one by one; nothing here touches a database.

What is wrong with the client or the redirect URI is shown to the person and never redirected;
everything else goes back to the client (RFC 6749 section 4.1.2.1).
"""

import re
from dataclasses import dataclass

from issuer.domain.authorization import AuthorizationRequest
from issuer.domain.client import Client, GrantType
from issuer.domain.parameters import Parameters
from oauth import errors, pkce, redirect_uris, scopes

LONGEST = {
    "acr_values": 512,
    "claims": 8192,
    "client_id": 256,
    "code_challenge": 128,
    "id_token_hint": 8192,
    "login_hint": 256,
    "nonce": 512,
    "prompt": 64,
    "redirect_uri": 2048,
    "resource": 512,
    "scope": 2048,
}
"""Characters. `state` goes back whatever its length: only the whole request bounds it."""

PROMPTS = frozenset({"none", "login", "consent", "select_account"})


@dataclass(frozen=True, slots=True)
class Shown:
    """The request can't be trusted with a redirect: the person is told."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """An error that goes back to the client: `error` and `error_description` of RFC 6749."""

    redirect_uri: str
    state: str | None
    error: str
    description: str


@dataclass(frozen=True, slots=True)
class _Wrong:
    error: type[errors.OAuthError]
    description: str


def check_authorization_request(
    parameters: Parameters, client: Client | None, *, issuer: str
) -> AuthorizationRequest | Shown | Returned:
    """A request's parameters and the client they name -> a valid request, or what is wrong.

    `issuer` is the resource of a client that has none of its own (its tokens open /userinfo).
    """
    if client is None or client.disabled:
        return Shown("The application that sent you here is not known to this server.")
    redirect_uri = _redirect_uri(parameters, client)
    if redirect_uri is None:
        return Shown("The application asked to answer to an address that is not registered for it.")
    for rule in _RULES:
        wrong = rule(parameters, client)
        if wrong is not None:
            return Returned(
                redirect_uri=redirect_uri,
                state=parameters.get("state"),
                error=wrong.error.code,
                description=wrong.description,
            )
    return _request(parameters, client, redirect_uri, issuer)


def _redirect_uri(parameters: Parameters, client: Client) -> str | None:
    """Where to answer. It may be left out where one is registered, but not in OpenID Connect."""
    if "redirect_uri" in parameters.repeated:
        return None
    presented = parameters.get("redirect_uri")
    if presented is None:
        openid = "openid" in (parameters.get("scope") or "").split(" ")
        return client.redirect_uris[0] if len(client.redirect_uris) == 1 and not openid else None
    if len(presented) > LONGEST["redirect_uri"]:
        return None
    registered = any(
        redirect_uris.matches(each, presented, native=client.native)
        for each in client.redirect_uris
    )
    return presented if registered else None


def _request(
    parameters: Parameters, client: Client, redirect_uri: str, issuer: str
) -> AuthorizationRequest:
    max_age = parameters.get("max_age")
    resource = _target(parameters, client, issuer)
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        redirect_uri_given=parameters.get("redirect_uri") is not None,
        scope=client.meaningful(_allowed_scope(parameters, client), resource=resource),
        resource=resource,
        state=parameters.get("state"),
        nonce=parameters.get("nonce"),
        code_challenge=parameters.get("code_challenge"),
        prompt=_prompt(parameters),
        max_age=int(max_age) if max_age is not None else None,
        login_hint=parameters.get("login_hint"),
    )


def _asked_scope(parameters: Parameters, client: Client) -> frozenset[str]:
    """What is asked for; with no `scope`, all that the client may have (RFC 6749 section 3.3)."""
    scope = parameters.get("scope")
    return client.scopes if scope is None else frozenset(scope.split(" "))


def _allowed_scope(parameters: Parameters, client: Client) -> frozenset[str]:
    return _asked_scope(parameters, client) & client.scopes


def _target(parameters: Parameters, client: Client, issuer: str) -> str:
    """The API that the tokens are for; the scopes tell which, where none is named (RFC 9068, 3)."""
    scope = _allowed_scope(parameters, client)
    return parameters.get("resource") or client.default_resource(scope, otherwise=issuer)


def _prompt(parameters: Parameters) -> frozenset[str]:
    return frozenset((parameters.get("prompt") or "").split(" ")) - {""}


def _single(parameters: Parameters, _: Client) -> _Wrong | None:
    """RFC 6749 section 3.1. Only `resource` may come twice (RFC 8707); we take one at a time."""
    if parameters.repeated - {"resource"}:
        return _Wrong(errors.InvalidRequest, "a parameter was sent more than once")
    if "resource" in parameters.repeated:
        return _Wrong(errors.InvalidTarget, "ask for one resource at a time")
    return None


def _bounded(parameters: Parameters, _: Client) -> _Wrong | None:
    for name, longest in LONGEST.items():
        if len(parameters.get(name) or "") > longest:
            return _Wrong(errors.InvalidRequest, f"{name} is longer than {longest} characters")
    return None


def _no_request_object(parameters: Parameters, _: Client) -> _Wrong | None:
    """OpenID Connect Core 3.1.2.6."""
    if parameters.get("request") is not None:
        return _Wrong(errors.RequestNotSupported, "request objects are not supported")
    if parameters.get("request_uri") is not None:
        return _Wrong(errors.RequestUriNotSupported, "request_uri is not supported")
    return None


def _response(parameters: Parameters, _: Client) -> _Wrong | None:
    response_type = parameters.get("response_type")
    if response_type is None:
        return _Wrong(errors.InvalidRequest, "response_type is missing")
    if response_type != "code":
        return _Wrong(errors.UnsupportedResponseType, "the only response_type is code")
    if parameters.get("response_mode") not in (None, "query"):
        return _Wrong(errors.InvalidRequest, "the only response_mode is query")
    return None


def _grant(_: Parameters, client: Client) -> _Wrong | None:
    if GrantType.AUTHORIZATION_CODE not in client.grants:
        return _Wrong(errors.UnauthorizedClient, "this client may not use authorization codes")
    return None


def _scope(parameters: Parameters, client: Client) -> _Wrong | None:
    """RFC 6749 section 3.3 and appendix A.4. Scopes that the client may not have are left out."""
    scope = parameters.get("scope")
    if scope is not None and not scopes.is_valid(scope):
        return _Wrong(errors.InvalidScope, "scope is not a list of tokens with single spaces")
    if not _allowed_scope(parameters, client):
        return _Wrong(errors.InvalidScope, "this client may have none of these scopes")
    return None


def _resource(parameters: Parameters, client: Client) -> _Wrong | None:
    """RFC 8707 section 2. Scopes that the API does not know are left out (RFC 9068, 2.2.3)."""
    resource = parameters.get("resource")
    if resource is not None and resource not in client.resources:
        return _Wrong(errors.InvalidTarget, "this client may not ask for this resource")
    scope = _allowed_scope(parameters, client)
    if resource is not None and not client.meaningful(scope, resource=resource):
        return _Wrong(errors.InvalidScope, "this resource knows none of these scopes")
    return None


def _challenge(parameters: Parameters, client: Client) -> _Wrong | None:
    """RFC 7636 section 4.3. Without it, `nonce` must protect the code (OAuth 2.1, 7.5.1)."""
    challenge = parameters.get("code_challenge")
    method = parameters.get("code_challenge_method")
    if challenge is None:
        return _without_challenge(parameters, client, method)
    if method != "S256":
        return _Wrong(errors.InvalidRequest, "the only code_challenge_method is S256")
    if not pkce.challenge_is_valid(challenge):
        return _Wrong(errors.InvalidRequest, "code_challenge is not 43 base64url characters")
    return None


def _without_challenge(parameters: Parameters, client: Client, method: str | None) -> _Wrong | None:
    if method is not None or client.pkce_required or not client.confidential:
        return _Wrong(errors.InvalidRequest, "code_challenge is missing")
    openid = "openid" in _allowed_scope(parameters, client)
    if parameters.get("nonce") is None or not openid:
        return _Wrong(
            errors.InvalidRequest, "without code_challenge, nonce and the scope openid are needed"
        )
    return None


def _interaction(parameters: Parameters, _: Client) -> _Wrong | None:
    """OpenID Connect Core 3.1.2.1: `prompt` and `max_age`."""
    prompt = _prompt(parameters)
    if not prompt <= PROMPTS:
        return _Wrong(errors.InvalidRequest, "prompt has a value that is not supported")
    if "none" in prompt and len(prompt) > 1:
        return _Wrong(errors.InvalidRequest, "prompt none stands alone")
    max_age = parameters.get("max_age")
    if max_age is not None and not re.fullmatch(r"[0-9]{1,9}", max_age):
        return _Wrong(errors.InvalidRequest, "max_age is not a number of seconds")
    return None


_RULES = (
    _single,
    _bounded,
    _no_request_object,
    _response,
    _grant,
    _scope,
    _resource,
    _challenge,
    _interaction,
)
