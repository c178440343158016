"""JSON lines on stdout, one for each thing that happened; libraries' logs go the same way."""

import logging
import sys

import structlog
from structlog.types import EventDict, WrappedLogger

from servicekit import correlation, tracebacks

_CHATTY = ("aiokafka", "httpx", "httpcore")
"""They tell at INFO what only their own developers want to know."""


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
    logging.basicConfig(level=least, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(max(logging.WARNING, least))


def _exception(exc_info: tracebacks.ExcInfo) -> str:
    return tracebacks.render(exc_info[1])


def _without_colours(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)  # uvicorn says everything twice, once for terminals
    return event
