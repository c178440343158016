"""The browser that the story and the demo's operator sign in with: what it fills in, and where
it stops."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from cli.browser import Browser, UnexpectedPageError

ISSUER = "https://issuer.example"
CALLBACK = "https://app.example/cb"
SIGN_IN = (
    '<form action="/search"><input name="q"><button id="search"></button></form>'
    '<form action="/sign-in?x=1" method="post"><input name="csrf" value="&quot;t&amp;">'
    '<input name="username"><input name="password"><button id="sign-in">in</button></form>'
)
CONSENT = (
    '<form action="consent" method="post"><input name="csrf" value="u">'
    '<button id="deny" name="decision" value="deny"></button>'
    '<button id="allow" name="decision" value="allow"></button></form>'
)
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def asked() -> list[httpx.Request]:
    """The requests that the issuer got."""
    return []


@pytest.fixture
def browse(asked: list[httpx.Request]) -> Iterator[Callable[..., dict[str, str]]]:
    """Authorize at an issuer that gives these answers in turn."""
    clients: list[httpx.Client] = []

    def authorize(*answers: httpx.Response) -> dict[str, str]:
        coming = iter(answers)

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return next(coming)

        clients.append(httpx.Client(transport=httpx.MockTransport(answer)))
        return Browser(clients[-1]).authorize(
            f"{ISSUER}/authorize",
            {"client_id": "web"},
            fields={"username": "alice", "password": "p&="},
            redirect_uri=CALLBACK,
        )

    yield authorize
    for client in clients:
        client.close()


def test_it_signs_in_allows_and_returns_what_comes_back(
    browse: Callable[..., dict[str, str]], asked: list[httpx.Request]
) -> None:
    """Hidden fields are sent back as they were, the person's go into the sign-in form only."""
    returned = browse(
        httpx.Response(303, headers={"location": "/sign-in"}),
        httpx.Response(200, text=SIGN_IN),
        httpx.Response(200, text=CONSENT),
        httpx.Response(303, headers={"location": f"{CALLBACK}?code=c&state=s%20t"}),
    )
    assert returned == {"code": "c", "state": "s t"}
    assert [str(request.url.path) for request in asked] == [
        "/authorize",
        "/sign-in",
        "/sign-in",
        "/consent",
    ]
    assert asked[2].content == b"csrf=%22t%26&username=alice&password=p%26%3D"
    assert asked[3].content == b"csrf=u&decision=allow"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.Response(500), "answered 500"),
        (httpx.Response(200, text="<p>Sorry</p>"), "neither"),
        (
            httpx.Response(303, headers={"location": f"{CALLBACK}?error=access_denied"}),
            "access_denied",
        ),
    ],
)
def test_it_says_what_it_met_instead(
    browse: Callable[..., dict[str, str]], answer: httpx.Response, why: str
) -> None:
    """An error page, a page without a form, an error that came back."""
    with pytest.raises(UnexpectedPageError, match=why):
        browse(answer)


def test_it_does_not_walk_in_circles(browse: Callable[..., dict[str, str]]) -> None:
    """A sign-in that is refused shows the form again: after a few times it gives up."""
    with pytest.raises(UnexpectedPageError, match="more pages"):
        browse(*[httpx.Response(200, text=SIGN_IN) for _ in range(20)])
