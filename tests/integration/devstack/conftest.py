import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def directory() -> Iterator[Path]:
    """A place that every user may enter: as root, PostgreSQL runs as another one."""
    place = Path(tempfile.mkdtemp(prefix="revocast-test-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place, ignore_errors=True)
