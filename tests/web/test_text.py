"""The text of an answer alone."""

from __future__ import annotations

from web.items import asked, chunk, result, thought, written

from cometgem.web import TextEncoder


def test_only_the_text_of_the_answer_is_written() -> None:
    items = [chunk(thought("Hm.")), chunk("Grüße, "), chunk(asked("f", {})), chunk("你 \U0001f600")]
    assert written(TextEncoder(), *items, result("f", {})) == "Grüße, 你 \U0001f600".encode()


def test_nothing_is_written_that_could_be_taken_for_text() -> None:
    encoder = TextEncoder()
    assert encoder.start() == encoder.ping() == encoder.fail("Sorry.") == b""
    assert not encoder.tells_failures
    assert encoder.headers["content-type"] == "text/plain; charset=utf-8"
