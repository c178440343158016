"""`python -m messaging topics` makes the topics; `python -m messaging acls` says who needs what."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pydantic
from aiokafka.errors import KafkaError

from messaging.acls import RESOURCE_SERVER, SERVICES, commands
from messaging.security import KafkaSettings
from messaging.topics import TopicRefusedError, ensure_topics

PREFIX = "REVOCAST_"


def main() -> None:
    """Run one of the commands, or say in one line why not."""
    parser = argparse.ArgumentParser(prog="python -m messaging")
    parsers = parser.add_subparsers(required=True)
    topics = parsers.add_parser(
        "topics",
        help="make the topics that the contracts list",
        epilog=f"TLS and SASL come from the environment: {PREFIX}KAFKA_SECURITY_PROTOCOL and so"
        " on, as the services have them under prefixes of their own.",
    )
    topics.add_argument("--bootstrap", required=True, help="host:port[,host:port...]")
    topics.add_argument("--replication", type=int, default=3, help="copies of each record")
    topics.set_defaults(run=_topics)
    acls = parsers.add_parser(
        "acls",
        help="print the arguments of kafka-acls.sh that grant a process all it needs",
    )
    acls.add_argument("service", choices=[*SERVICES, RESOURCE_SERVER])
    acls.add_argument("--principal", help="the default is User:<service>")
    acls.set_defaults(run=_acls)
    arguments = parser.parse_args()
    run: Callable[[argparse.Namespace], None] = arguments.run
    run(arguments)


def _topics(arguments: argparse.Namespace) -> None:
    try:
        settings = _settings(arguments.bootstrap)
        made = asyncio.run(
            ensure_topics(
                arguments.bootstrap,
                replication=arguments.replication,
                security=settings.kafka_security(),
            )
        )
    except pydantic.ValidationError as error:
        sys.exit("\n".join(f"topics: {each['msg']}" for each in error.errors(include_input=False)))
    except (KafkaError, TopicRefusedError, OSError) as error:
        sys.exit(f"topics: {error}")
    sys.stdout.write(f"topics: {len(made)} made\n")


def _settings(bootstrap: str) -> KafkaSettings:
    told = {name: _told(f"{PREFIX}{name.upper()}") for name in KafkaSettings.model_fields}
    given = {name: value for name, value in told.items() if value}
    return KafkaSettings.model_validate({**given, "kafka_bootstrap": bootstrap})


def _told(variable: str) -> str | None:
    """A variable of the environment, or the content of the file that `..._FILE` names."""
    file = os.environ.get(f"{variable}_FILE")
    return Path(file).read_text().rstrip("\r\n") if file else os.environ.get(variable)


def _acls(arguments: argparse.Namespace) -> None:
    principal = arguments.principal or f"User:{arguments.service}"
    for line in commands(arguments.service, principal):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
