"""`python -m messaging topics --bootstrap host:port --replication 3` makes the topics."""

import argparse
import asyncio
import sys

from aiokafka.errors import KafkaError

from messaging.topics import TopicRefusedError, ensure_topics


def main() -> None:
    """Make the topics, or say in one line why not."""
    parser = argparse.ArgumentParser(prog="python -m messaging")
    commands = parser.add_subparsers(required=True)
    topics = commands.add_parser("topics", help="make the topics that the contracts list")
    topics.add_argument("--bootstrap", required=True, help="host:port[,host:port...]")
    topics.add_argument("--replication", type=int, default=3, help="copies of each record")
    arguments = parser.parse_args()
    try:
        made = asyncio.run(ensure_topics(arguments.bootstrap, replication=arguments.replication))
    except (KafkaError, TopicRefusedError) as error:
        sys.exit(f"topics: {error}")
    sys.stdout.write(f"topics: {len(made)} made\n")


if __name__ == "__main__":
    main()
