"""Every metric of messaging, by name, and what it means to an operator."""

from prometheus_client import Counter, Gauge, Histogram

PUBLISHED = Counter(
    "revocast_relay_published_total", "Events acknowledged by Kafka, by topic.", ["topic"]
)
RELAY_OWNER = Gauge("revocast_relay_owner", "1 while this process is the one that publishes.")
RELAY_ROUND = Histogram(
    "revocast_relay_round_seconds", "From reading the outbox until Kafka has acknowledged it."
)
RELAY_GAPS = Gauge(
    "revocast_relay_gaps", "Ids not visible yet: high for long means a long write transaction."
)
RELAY_EPOCH = Gauge(
    "revocast_relay_epoch", "The log's life: a rise means a restored database or a lost topic."
)
RELAY_RETRIES = Counter(
    "revocast_relay_retries_total", "Times the relay connected to Kafka anew after trouble."
)
CAUGHT_UP = Counter(
    "revocast_relay_caught_up_total",
    "Events taken over from the log by a database that was restored; readiness waits for the end.",
)
CONSUMED = Counter("revocast_consumer_events_total", "Events handled, by topic.", ["topic"])
DROPPED = Counter(
    "revocast_consumer_dropped_total", "Records that had been handled before, by topic.", ["topic"]
)
RETRIED = Counter(
    "revocast_consumer_retries_total", "Batches tried again: a database or broker is in trouble."
)
DEAD_LETTERS = Counter(
    "revocast_dead_letters_total", "Records set aside because nobody can read them.", ["topic"]
)
STARTED_OVER = Counter(
    "revocast_consumer_started_over_total", "Partitions read from their beginning again.", ["topic"]
)
MISSED = Counter(
    "revocast_consumer_missed_total",
    "Events that were given out but are not on the topic any more: retention was too short.",
    ["topic"],
)
