"""JSON lines on stdout, one for each thing that happened; libraries' logs go the same way."""

import logging
import sys
import time

import structlog
from structlog.types import EventDict, WrappedLogger

from servicekit import correlation, tracebacks

_CHATTY = ("aiokafka", "httpx", "httpcore")
"""They tell at INFO what only their own developers want to know."""

_INSISTENT = "aiokafka"
_SAID_AGAIN_SECONDS = 10.0
"""Without a broker it says the same ten times a second and client: 120 kB/s of seven processes."""

_MOST_REMEMBERED = 1000
"""Different lines; whoever says more than that has something to say."""


def configure(service: str, level: str) -> None:
    """Set up logging for the process. `level` is one of Python's level names."""

    def name_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    least = logging.getLevelNamesMapping()[level]
    shared: list[structlog.types.Processor] = [
        correlation.add_to_log,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", key="time"),
        name_service,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(least),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(_exception),
                _without_colours,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(_NotAgain())
    logging.basicConfig(level=least, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(max(logging.WARNING, least))


class _NotAgain(logging.Filter):
    """Lets the same words of an insistent library pass once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is said."""
        if not record.name.startswith(_INSISTENT):
            return True
        now, words = time.monotonic(), (record.name, record.getMessage())
        if now - self._said.get(words, float("-inf")) < _SAID_AGAIN_SECONDS:
            return False
        if len(self._said) >= _MOST_REMEMBERED:
            self._said.clear()
        self._said[words] = now
        return True


def _exception(exc_info: tracebacks.ExcInfo) -> str:
    return tracebacks.render(exc_info[1])


def _without_colours(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)  # uvicorn says everything twice, once for terminals
    return event
