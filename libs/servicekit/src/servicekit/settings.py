"""Settings from the environment; secrets also from files. A bad one is told in one line."""

import os
import sys
from pathlib import Path
from typing import Any, TypeVar

import pydantic
from pydantic_settings import BaseSettings, SettingsConfigDict

EX_CONFIG = 78
"""The exit status of sysexits(3) for a configuration error."""


class ServiceSettings(BaseSettings):
    """Reads `<env_prefix><NAME>`, or the file that `<env_prefix><NAME>_FILE` names."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _read_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        prefix = cls.model_config.get("env_prefix", "")
        for name in cls.model_fields:
            file = os.environ.get(f"{prefix}{name.upper()}_FILE")
            if file is not None and name not in values:
                try:
                    values[name] = Path(file).read_text().strip()
                except OSError as error:
                    raise ValueError(f"{name}: its file can't be read: {error.strerror}") from None
        return values


S = TypeVar("S", bound=ServiceSettings)


def load(settings: type[S]) -> S:
    """The settings of this process.

    On missing or bad ones the process ends with status 78 and a line on stderr for each; no value
    is repeated there.
    """
    try:
        return settings()
    except pydantic.ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        for each in error.errors(include_input=False, include_url=False, include_context=False):
            where = "_".join(str(part) for part in each["loc"]).upper()
            sys.stderr.write(f"{prefix}{where}: {each['msg']}\n")
        sys.exit(EX_CONFIG)
