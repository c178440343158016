"""Settings from the environment; secrets also from files. A bad one is told in one line."""

import os
import sys
from pathlib import Path
from typing import Any, TypeVar

import pydantic
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

EX_CONFIG = 78
"""The exit status of sysexits(3) for a configuration error."""


class ServiceSettings(BaseSettings):
    """Reads `<env_prefix><NAME>`, or the file that `<env_prefix><NAME>_FILE` names.

    The newline at a file's end is not part of the value.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _read_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        prefix = cls.model_config.get("env_prefix", "")
        read = dict(values)
        for name in cls.model_fields:
            variable = f"{prefix}{name.upper()}_FILE"
            file = os.environ.get(variable)
            if not file:
                continue
            if name in values:
                raise ValueError(f"{variable} and the value itself are both set")
            read[name] = _content(variable, file)
        return read


def _content(variable: str, file: str) -> str:
    try:
        return Path(file).read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{variable}: the file can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{variable}: the file is not UTF-8") from None


S = TypeVar("S", bound=ServiceSettings)


def load(settings: type[S]) -> S:
    """The settings of this process.

    On missing or bad ones the process ends with status 78 and a line on stderr for each; no value
    is repeated there.
    """
    try:
        return settings()
    except SettingsError as error:  # a list or table that is not JSON; it names the field only
        sys.stderr.write(f"{error}\n")
    except pydantic.ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        for each in error.errors(include_input=False, include_url=False, include_context=False):
            why = each["msg"].removeprefix("Value error, ")
            where = "_".join(str(part) for part in each["loc"]).upper()
            sys.stderr.write(f"{prefix}{where}: {why}\n" if where else f"{why}\n")
    sys.exit(EX_CONFIG)
