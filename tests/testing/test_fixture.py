import subprocess
import sys

import pytest

from cometgem import testing
from cometgem.testing import FakeServer


def test_the_fixture_is_a_running_server(fake_server: FakeServer) -> None:
    assert isinstance(fake_server, FakeServer)
    assert fake_server.open_connections == 0
    assert fake_server.url.startswith("http://127.0.0.1:")


async def test_it_serves_async_tests_too(fake_server: FakeServer) -> None:
    assert fake_server.requests == []


def test_a_missing_attribute() -> None:
    with pytest.raises(AttributeError, match=r"'cometgem\.testing' has no attribute 'Nothing'"):
        _ = testing.Nothing  # type: ignore[attr-defined]


def test_the_plugin_imports_nothing_heavy() -> None:
    code = "import sys, pytest, cometgem.testing.fixture; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert not {"aiohttp.web", "cometgem.testing.server"} & set(done.stdout.split())
