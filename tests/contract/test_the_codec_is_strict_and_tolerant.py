import contextlib
import json
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from revocast_contracts import codec
from revocast_contracts.envelope import Event
from revocast_contracts.lifecycle import EndCause
from revocast_contracts.revocations import EntryCause
from revocast_contracts.schemas import event_schema
from tests.support.events import EVENT_TYPES, data_of, events, example

SCHEMAS = {name: event_schema(model) for name, model in codec.TYPES.items()}
CANARY = "canary-7f3a"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ENTRY = "revocast.revocation.entry.v1"
ENDED = "revocast.family.ended.v1"


def raw(members: Any) -> bytes:
    """Members as a record's value."""
    return json.dumps(members).encode()


def changed(event_type: str, **data: Any) -> bytes:
    """A full golden event with some of its data changed."""
    members = example(event_type, "full")
    return raw({**members, "data": {**members["data"], **data}})


@settings(deadline=None, max_examples=300)
@given(events())
def test_what_was_written_is_read(event: Event) -> None:
    """Every event comes back equal, and its bytes are what the contract lets a producer send."""
    value = codec.encode(event)
    Draft202012Validator(SCHEMAS[event.type]).validate(json.loads(value))
    read = codec.decode(value)
    assert read == event
    assert type(read.data) is codec.TYPES[event.type]


@pytest.mark.parametrize("event_type", EVENT_TYPES)
@settings(deadline=None, max_examples=20)
@given(st.data())
def test_members_of_every_model_pass_the_strict_side(event_type: str, data: st.DataObject) -> None:
    """What a use case builds is what `validate` lets out of an outbox, as JSON too."""
    said = data.draw(data_of(codec.TYPES[event_type]))
    assert codec.validate(event_type, said.model_dump(mode="json")) == said


@settings(deadline=None)
@given(st.sampled_from(EVENT_TYPES), JSON)
def test_unknown_members_are_ignored_when_read(event_type: str, value: Any) -> None:
    """A later producer's optional members, in the envelope or in the data, change nothing here."""
    members = example(event_type, "full")
    data = {**members["data"], "from_the_future": value}
    grown = raw({**members, "data": data, "extension": value})
    assert codec.decode(grown) == codec.decode(raw(members))


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_unknown_members_are_refused_when_written(event_type: str) -> None:
    """A member that the contract does not list never leaves an outbox."""
    data = example(event_type, "full")["data"]
    with pytest.raises(codec.UndecodableError):
        codec.validate(event_type, {**data, "from_the_future": 1})


def test_unknown_members_are_refused_at_every_depth() -> None:
    """An object within the data is closed too."""
    data = example(ENDED, "full")["data"]
    with pytest.raises(codec.UndecodableError):
        codec.validate(ENDED, {**data, "origin": {"ip": "192.0.2.1"}})


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=9), st.integers(), max_size=3))
def test_an_unknown_type_is_read_whole(members: dict[str, int]) -> None:
    """A type from the future keeps its data; written, it is refused."""
    event_type = "revocast.future.thing.v1"
    value = {**example(ENDED, "full"), "type": event_type, "data": members}
    data = codec.decode(raw(value)).data
    assert isinstance(data, codec.UnknownData)
    assert data.model_dump() == members
    with pytest.raises(codec.UndecodableError):
        codec.validate(event_type, members)


@settings(deadline=None, max_examples=300)
@given(st.binary() | JSON.map(raw))
def test_garbage_is_undecodable_and_nothing_worse(value: bytes) -> None:
    """Whatever stands on a topic, reading it raises nothing but `UndecodableError`."""
    with pytest.raises(codec.UndecodableError):
        codec.decode(value)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(EVENT_TYPES), st.data())
def test_a_damaged_event_is_undecodable_or_read(event_type: str, data: st.DataObject) -> None:
    """Any member replaced by any JSON value: an event or `UndecodableError`, nothing else."""
    members = example(event_type, "full")
    place = members if data.draw(st.booleans()) else members["data"]
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    with contextlib.suppress(codec.UndecodableError):
        assert isinstance(codec.decode(raw(members)), Event)


@pytest.mark.parametrize("wrong", [{CANARY: CANARY}, [CANARY], CANARY], ids=["map", "list", "text"])
@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_an_error_never_tells_the_input(event_type: str, wrong: Any) -> None:
    """Neither a value nor an unknown name is in the error: it goes to logs and dead letters."""
    members = example(event_type, "full")
    data = members["data"]
    bad = [{**members, name: wrong} for name in members]
    bad += [{**members, "data": {**data, name: wrong}} for name in data]
    told = []
    for value in bad:
        try:
            codec.decode(raw(value))
        except codec.UndecodableError as unread:
            told.append(unread)
    for written in ({**data, CANARY: wrong}, *({**data, name: wrong} for name in data)):
        try:
            codec.validate(event_type, written)
        except codec.UndecodableError as refused:
            told.append(refused)
    assert len(told) > len(data) or isinstance(wrong, str)
    for error in told:
        assert CANARY not in f"{error} {error!r} {error.__cause__}"


def test_an_unknown_type_is_not_told() -> None:
    """The name of a type is input as well."""
    with pytest.raises(codec.UndecodableError) as refusal:
        codec.validate(CANARY, {})
    assert CANARY not in str(refusal.value)


@pytest.mark.parametrize(
    ("event_type", "member"),
    [
        (event_type, member)
        for event_type, whole in sorted(SCHEMAS.items())
        for member, schema in sorted(
            whole["$defs"][codec.TYPES[event_type].__name__]["properties"].items()
        )
        if schema.get("x-open-when-read")
    ],
)
def test_an_unknown_word_is_kept_when_read_and_refused_when_written(
    event_type: str, member: str
) -> None:
    """Of an open enumeration, an old reader bears a new word; no producer invents one."""
    event = codec.decode(changed(event_type, **{member: "solar_flare"}))
    word = getattr(event.data, member)
    assert isinstance(word, StrEnum)
    assert (word, word.value, str(word)) == ("solar_flare",) * 3
    assert all(word is not known for known in type(word))
    assert json.loads(codec.encode(event))["data"][member] == "solar_flare"
    with pytest.raises(codec.UndecodableError):
        codec.validate(
            event_type, json.loads(changed(event_type, **{member: "solar_flare"}))["data"]
        )


def test_known_words_are_the_members_themselves() -> None:
    """Reading tolerantly costs no identity: consumers compare with `is`."""
    assert codec.decode(changed(ENTRY, cause="reuse")).data.cause is EntryCause.REUSE  # type: ignore[attr-defined]  # an entry's data
    assert codec.decode(changed(ENDED, cause="kill")).data.cause is EndCause.KILL  # type: ignore[attr-defined]  # an ending's data


@pytest.mark.parametrize("word", ["", "Solar", "two words", "x" * 65, 7, None, ["reuse"], "\n"])
def test_what_is_no_word_is_no_unknown_word(word: Any) -> None:
    """Only what could be a word of ours is kept; it stands in logs and answers."""
    with pytest.raises(codec.UndecodableError):
        codec.decode(changed(ENTRY, cause=word))


@pytest.mark.parametrize(
    "said",
    [{"selector": {"kind": "planet", "value": "mars"}}, {"state": "suspended"}],
    ids=["selector", "state"],
)
def test_what_decides_is_never_guessed(said: dict[str, Any]) -> None:
    """An entry of an unknown kind or state can't be enforced, so it must not be read as nothing."""
    with pytest.raises(codec.UndecodableError):
        codec.decode(changed(ENTRY, **said))
