"""JSON Schemas (2020-12) of whole events, closed: what a producer may send."""

from typing import Any

from pydantic import create_model
from pydantic.json_schema import GenerateJsonSchema

from revocast_contracts.envelope import Data, Event


class _Plain(GenerateJsonSchema):
    """Without the titles that only repeat the members' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def event_schema(model: type[Data]) -> dict[str, Any]:
    """The schema of the whole CloudEvent of that type; every object in it is closed."""
    event = create_model(
        f"{model.__name__}Event", __base__=Event, __doc__=model.__doc__, data=(model, ...)
    )
    schema = event.model_json_schema(schema_generator=_Plain)
    attributes = schema["properties"]
    attributes["specversion"] = {"const": "1.0", "type": "string"}
    attributes["type"] = {"const": model.event_type, "type": "string"}
    attributes["datacontenttype"] = {"const": "application/json", "type": "string"}
    # Every attribute is always sent, those with a default too.
    schema["required"] = list(attributes)
    for closed in (schema, *schema["$defs"].values()):
        if "properties" in closed:
            closed["additionalProperties"] = False
    dialect = GenerateJsonSchema.schema_dialect
    return {"$schema": dialect, **schema, "title": model.event_type}
