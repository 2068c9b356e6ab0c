"""`cometgem generate --sources` and `--image-out`."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from cli.speaking import MODEL
from conformance import conformance_file

from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from pathlib import Path

    from cli.speaking import Run

GIF = b"GIF89a\x02\x00\x01\x00"
SEARCH = "bodies/googleai-unary-success-google-search-grounding.json"
PAGE = "bodies/googleai-streaming-success-url-context.txt"


def pictures(*data: bytes) -> Reply:
    return Reply.chunks(
        *(
            {"inlineData": {"mimeType": "image/gif", "data": base64.b64encode(one).decode()}}
            for one in data
        )
    )


def test_sources_are_listed_after_the_answer(server: FakeServer, run: Run) -> None:
    server.add(Reply.recorded(conformance_file(PAGE)))
    status, out, err = run("generate", "Hi", "--sources")
    assert status == 0
    assert out.startswith("\nThe Google homepage")
    assert "[1]" not in out
    assert "source [1]: Google, https://google.com\n" in err


def test_sources_are_marked_in_a_complete_answer(server: FakeServer, run: Run) -> None:
    server.add(Reply.recorded(conformance_file(SEARCH)))
    status, out, err = run("generate", "Hi", "--sources", "--no-stream")
    assert status == 0
    assert out.startswith("The current weather in London, United Kingdom is cloudy.[1] The temp")
    assert err.splitlines()[0].startswith("source [1]: accuweather.com, https://vertexaisearch.")
    assert err.splitlines()[1].startswith("source [2]: Weather information for locality: London, ")


@pytest.mark.parametrize("option", ["--json", "--raw"])
def test_json_has_no_markers(server: FakeServer, run: Run, option: str) -> None:
    server.add(Reply.recorded(conformance_file(SEARCH)))
    _, out, err = run("generate", "Hi", "--sources", "--no-stream", option)
    assert "[1]" not in out
    assert "source [2]: " in err


def test_an_answer_without_sources(server: FakeServer, run: Run) -> None:
    server.add(Reply.text("Hi"))
    status, out, err = run("generate", "Hi", "--sources")
    assert (status, out) == (0, "Hi")
    assert err.startswith("sources: none\n")


def test_pictures_are_asked_for_and_saved(server: FakeServer, run: Run, tmp_path: Path) -> None:
    server.add(pictures(GIF, GIF + b"2"))
    options = ["--image-out", "comet", "--aspect", "16:9", "--size", "2k"]
    status, out, err = run("generate", "Draw", *options)
    assert (status, out) == (0, "")
    (request,) = server.requests
    assert request.model == "gemini-3.1-flash-image"
    assert request.body["generationConfig"] == {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
    }
    assert (tmp_path / "comet.gif").read_bytes() == GIF
    assert (tmp_path / "comet-2.gif").read_bytes() == GIF + b"2"
    assert "saved: comet.gif (2 x 1 pixels, 10 bytes of image/gif)\n" in err
    assert "saved: comet-2.gif (2 x 1 pixels, 11 bytes of image/gif)\n" in err


@pytest.mark.parametrize("name", ["a.b.gif", "~/a.b.gif"])
def test_the_name_of_a_picture(server: FakeServer, run: Run, tmp_path: Path, name: str) -> None:
    server.add(pictures(GIF, GIF))
    assert run("generate", "Draw", "--model", MODEL, "--image-out", name, "--no-stream")[0] == 0
    assert server.requests[0].model == MODEL
    assert server.requests[0].body["generationConfig"] == {"responseModalities": ["TEXT", "IMAGE"]}
    assert {path.name for path in tmp_path.iterdir()} == {"a.b.gif", "a.b-2.gif"}


def test_a_picture_is_kept_when_the_stream_breaks(
    server: FakeServer, run: Run, tmp_path: Path
) -> None:
    server.add(pictures(GIF).then_reset())
    status, _, err = run("generate", "Draw", "--image-out", "comet")
    assert status == 1
    assert "saved: comet.gif" in err
    assert (tmp_path / "comet.gif").read_bytes() == GIF


def test_no_picture_is_no_success(server: FakeServer, run: Run) -> None:
    server.add(Reply.text("I cannot.").finish("NO_IMAGE"))
    status, out, err = run("generate", "Draw", "--image-out", "comet")
    assert (status, out) == (1, "I cannot.")
    assert err.endswith("error: the model sent no picture; finish reason NO_IMAGE\n")


def test_a_picture_that_cannot_be_written(server: FakeServer, run: Run, tmp_path: Path) -> None:
    (tmp_path / "comet.gif").mkdir()
    server.add(pictures(GIF).then(Reply.text("There.")))
    status, out, err = run("generate", "Draw", "--image-out", "comet")
    assert (status, out) == (1, "There.")
    assert "cometgem: error: cannot write 'comet' (Is a directory)\n" in err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--image-out", "."], "cannot write '.' (it is a folder; give the name of a file)"),
        (["--image-out", "no/such"], "cannot write 'no/such' (the folder 'no' does not exist)"),
        (["--image-out", "a\0"], r"'a\x00' is not a valid path"),
        (["--image-out", "a", "--image-out", "b"], "--image-out is given twice"),
        (["--aspect", "16:9"], "--aspect needs --image-out"),
        (["--size", "2K"], "--size needs --image-out"),
        (["--image-out", "a", "--aspect", "wide"], "'wide' is not an aspect ratio: give one such"),
        (["--image-out", "a", "--size", "big"], "'big' is not an image size: give 512, 1K, 2K or"),
        (
            ["--image-out", "a", "--option", 'responseModalities=["IMAGE"]'],
            "--option responseModalities and --image-out exclude each other",
        ),
    ],
)
def test_wrong_options_are_refused_before_anything_is_sent(
    server: FakeServer, run: Run, argv: list[str], sentence: str
) -> None:
    status, out, err = run("generate", "Draw", *argv)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert server.requests == []
