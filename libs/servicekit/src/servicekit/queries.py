"""Queries of the HTTP APIs, read strictly: a parameter that nobody knows, or a second one of the
same name, is refused by its name. Whoever misspells a filter must not be shown everything."""

from collections.abc import Awaitable, Callable, Collection, Mapping

from fastapi import Request

from servicekit.problems import Problem

LONGEST_NAME = 100
"""Characters of an unknown parameter's name that are told to whoever sent it."""


def refused(parameter: str, why: str) -> Problem:
    """400: a parameter that can't be what was meant. What was sent in it is not repeated."""
    return Problem(400, f"Invalid parameter: {why}", parameter=parameter)


def parameters_of(request: Request, allowed: Collection[str]) -> Mapping[str, str]:
    """The query's parameters; empty ones count as left out.

    Raises:
        Problem: 400, one is unknown or came twice.
    """
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in allowed:
            known = f"Known are {', '.join(sorted(allowed))}." if allowed else "There are none."
            raise refused(name[:LONGEST_NAME], f"unknown. {known}")
        if name in given:
            raise refused(name, "it came more than once.")
        given[name] = value
    return {name: value for name, value in given.items() if value}


def only(*allowed: str) -> Callable[[Request], Awaitable[None]]:
    """A dependency of a route: `parameters_of` before the framework reads any of them."""

    async def refuse_others(request: Request) -> None:
        parameters_of(request, allowed)

    return refuse_others
