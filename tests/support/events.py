"""The contracts' files, and events of every type for property tests."""

import json
import types
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from revocast_contracts.codec import TYPES
from revocast_contracts.envelope import Data, Event

CONTRACTS = Path(__file__).parents[2] / "contracts"
EXAMPLES = CONTRACTS / "examples"
EVENT_TYPES = sorted(TYPES)

# Half of a surrogate pair is no text, and no JSON either.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
MOMENTS = st.datetimes(timezones=st.just(UTC))
NUMBERS = st.integers(min_value=0, max_value=2**63 - 1)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: NUMBERS,
    bool: st.booleans(),
    datetime: MOMENTS,
    AwareDatetime: MOMENTS,
    type(None): st.none(),
}


def example(event_type: str, name: str) -> dict[str, Any]:
    """A golden event's members."""
    members: dict[str, Any] = json.loads((EXAMPLES / event_type / f"{name}.json").read_bytes())
    return members


def data_of(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Instances of a model, with and without its optional members."""
    members = {name: _values(field.annotation) for name, field in model.model_fields.items()}
    return st.builds(model, **members)


def events() -> st.SearchStrategy[Event]:
    """Events of every type, anywhere in a log."""
    return st.sampled_from(EVENT_TYPES).flatmap(_events_of)


def _events_of(event_type: str) -> st.SearchStrategy[Event]:
    model: type[Data] = TYPES[event_type]
    return st.builds(
        Event,
        id=st.uuids(),
        source=TEXT,
        type=st.just(event_type),
        subject=TEXT,
        time=MOMENTS,
        datacontenttype=st.just("application/json"),
        partitionkey=TEXT,
        correlationid=TEXT,
        shard=st.integers(0, 2**15 - 1),
        epoch=st.integers(1, 2**31 - 1),
        seq=st.integers(0, 2**63 - 1),
        data=data_of(model),
    )


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    if annotation in PLAIN:
        return PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return st.sampled_from(list(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return data_of(annotation)
    return _generic(get_origin(annotation), get_args(annotation))


def _generic(origin: Any, arguments: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin in {Union, types.UnionType}:
        return st.one_of([_values(argument) for argument in reversed(arguments)])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(_values(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXT, _values(arguments[1]), max_size=3)
    return _values(arguments[0])  # Annotated: the value's type stands first
