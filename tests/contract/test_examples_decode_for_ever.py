import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from revocast_contracts import codec
from revocast_contracts.topics import TOPICS
from tests.support.events import CONTRACTS, EVENT_TYPES, EXAMPLES, example

NAMES = ["minimal", "full"]
SHARDS = {data.event_type: topic for topic in TOPICS for data in topic.types}
every_example = pytest.mark.parametrize(
    ("event_type", "name"), [(event_type, name) for event_type in EVENT_TYPES for name in NAMES]
)


def validator(event_type: str, schemas: str) -> Draft202012Validator:
    """Of that type's schema in a directory of schemas."""
    schema = json.loads((CONTRACTS / schemas / f"{event_type}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def unset(data: BaseModel, where: str = "data") -> list[str]:
    """The members that an event leaves out, those of members in it too."""
    missing = []
    for name in type(data).model_fields:
        value = getattr(data, name)
        if value is None or value == ():
            missing.append(f"{where}.{name}")
        if isinstance(value, BaseModel):
            missing += unset(value, f"{where}.{name}")
    return missing


def test_every_type_has_both_examples_and_nothing_else_has() -> None:
    """A type comes with a minimal and a full golden event."""
    found = {str(file.relative_to(EXAMPLES)) for file in EXAMPLES.rglob("*") if file.is_file()}
    assert {f"{kind}/{name}.json" for kind in EVENT_TYPES for name in NAMES} == found


@every_example
def test_an_example_decodes_to_its_model(event_type: str, name: str) -> None:
    """Today's code reads every golden event, and says the same when it writes it again."""
    raw = (EXAMPLES / event_type / f"{name}.json").read_bytes()
    event = codec.decode(raw)
    assert type(event.data) is codec.TYPES[event_type]
    assert event.type == event_type
    assert codec.decode(codec.encode(event)) == event


@every_example
def test_an_example_is_what_a_producer_may_send(event_type: str, name: str) -> None:
    """Golden events validate against the closed schema, and their data against the closed model."""
    members = example(event_type, name)
    validator(event_type, "schemas").validate(members)
    codec.validate(event_type, members["data"])


@every_example
def test_what_is_written_validates(event_type: str, name: str) -> None:
    """The bytes that `encode` makes of an event validate too, absent members and all."""
    event = codec.decode(json.dumps(example(event_type, name)).encode())
    validator(event_type, "schemas").validate(json.loads(codec.encode(event)))


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_full_example_sets_every_member(event_type: str) -> None:
    """Nothing that an event can say is missing in its full example."""
    data = codec.decode(json.dumps(example(event_type, "full")).encode()).data
    assert unset(data) == []
    assert set(example(event_type, "full")["data"]) == set(type(data).model_fields)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_minimal_example_sets_no_member_that_may_be_absent(event_type: str) -> None:
    """Readers must bear the absence of every optional member."""
    fields = codec.TYPES[event_type].model_fields
    assert set(example(event_type, "minimal")["data"]) == {
        name for name, field in fields.items() if field.is_required()
    }


@every_example
def test_an_example_stands_on_its_shard(event_type: str, name: str) -> None:
    """The shard in a golden event is that of its key, but for watermarks, which name theirs."""
    members = example(event_type, name)
    topic = SHARDS[event_type]
    named = dict(enumerate(f"{topic.noun}/{shard}" for shard in range(topic.partitions)))
    if members["source"] in named.values():
        assert named[members["shard"]] == members["source"]
    else:
        assert members["shard"] == topic.shard(members["partitionkey"])


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_schema_is_closed(event_type: str) -> None:
    """Neither the envelope nor its data takes a member that is not listed."""
    closed = validator(event_type, "schemas")
    members: dict[str, Any] = example(event_type, "full")
    assert not closed.is_valid({**members, "password": "x"})
    assert not closed.is_valid({**members, "data": {**members["data"], "password": "x"}})
    assert not closed.is_valid({**members, "type": "revocast.other.thing.v1"})
