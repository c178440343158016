"""Words that may be added to within a version: written only if known, read even if not."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import (
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

READING = "reading"
"""The validation context in which unknown words are kept."""

MARK = "x-open-when-read"
"""Stands in the schema beside such a word's enumeration."""

_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class OpenWhenRead:
    """Marks an enumeration to which a later producer may add, without a new version.

    Only where every reader does right by a word it does not know: as a reason to be shown, or with
    a default. What decides what is dead, `SelectorKind` and `EntryState`, is never open.
    An unknown word reads as a member of its own: equal to its text, identical to no known one.
    """

    def __get_pydantic_core_schema__(
        self, source: type[StrEnum], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The enumeration's validation, less strict in the context `READING`."""

        def read(value: Any, known: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
            try:
                return known(value)
            except ValidationError:
                if info.context != READING or not isinstance(value, str):
                    raise
                if _WORD.fullmatch(value) is None:
                    raise
                return _unknown(source, value)

        return core_schema.with_info_wrap_validator_function(read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The known words, which is all that a producer may say, and the mark."""
        return {**handler(schema), MARK: True}


def _unknown(words: type[StrEnum], value: str) -> StrEnum:
    member = str.__new__(words, value)
    member._name_ = value
    member._value_ = value
    return member
