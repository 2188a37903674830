"""What every test starts from."""

import logging
import os
import signal
from collections.abc import Iterator

import pytest

from freechat_sdk import ApiClient, Configuration


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide the settings of whoever runs the tests, and forget the defaults that a test has made."""
    for name in list(os.environ):
        if name.startswith("FREECHAT_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    yield
    if ApiClient._default is not None:
        ApiClient._default.close()
    ApiClient.set_default(None)
    Configuration.set_default(None)


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Undo what a snippet does to the process's logging."""
    loggers = [logging.getLogger(), logging.getLogger("freechat_sdk")]
    before = [(logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, (handlers, level) in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt, here and in new processes, although shells ignore it for what runs behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
