"""The registry of topics as a page for people."""

from datetime import timedelta

from revocast_contracts.topics import TOPICS, Topic

_COLUMNS = ("topic", "key", "partitions", "cleanup", "retention", "writer", "readers", "types")


def topics_page() -> str:
    """One Markdown table, a row for each topic."""
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS), *(_row(topic) for topic in TOPICS)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"# Topics\nMade from the registry of topics by `make contracts`.\n\n{table}\n"


def _row(topic: Topic) -> tuple[str, ...]:
    return (
        f"`{topic.name}`",
        topic.key,
        str(topic.partitions),
        topic.broker_config()["cleanup.policy"],
        "for ever" if topic.retention is None else _span(topic.retention),
        topic.writer,
        ", ".join(topic.readers),
        "<br>".join(
            f"[`{data.event_type}`](schemas/{data.event_type}.json)" for data in topic.types
        ),
    )


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((span.days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)
