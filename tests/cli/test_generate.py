"""`cometgem generate`: the request, and what is shown of the answer."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from cli.speaking import ANSWER, BODIES, KEY, MODEL, SHORT, USAGE
from conformance import conformance_file

from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.speaking import Run


def test_text_goes_to_stdout_and_the_rest_to_stderr(server: FakeServer, run: Run) -> None:
    assert run("generate", "Hi") == (0, ANSWER, USAGE)
    (request,) = server.requests
    assert request.operation == "streamGenerateContent"
    assert request.model == MODEL
    assert request.body == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def test_no_stream(server: FakeServer, run: Run) -> None:
    assert run("generate", "Hi", "--no-stream") == (0, ANSWER, USAGE)
    assert server.requests[0].operation == "generateContent"


def test_the_options_reach_the_wire(server: FakeServer, run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG")
    note = tmp_path / "note.txt"
    note.write_text("words")
    options = "--model=models/gemini-3-flash-preview --system Shout. --thinking low --search --json"
    files = ["--file", str(picture), "--file", str(note)]
    assert run("generate", *options.split(), *files, "Hi")[0] == 0
    (request,) = server.requests
    assert request.model == "gemini-3-flash-preview"
    assert request.body == {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"inlineData": {"data": "iVBORw==", "mimeType": "image/png"}},
                    {"inlineData": {"data": "d29yZHM=", "mimeType": "text/plain"}},
                    {"text": "Hi"},
                ],
            }
        ],
        "systemInstruction": {"parts": [{"text": "Shout."}]},
        "tools": [{"googleSearch": {}}],
        "generationConfig": {
            "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True},
            "responseMimeType": "application/json",
        },
    }


@pytest.mark.parametrize(
    ("argv", "config"),
    [
        (["--temperature", "0"], {"temperature": 0}),
        (
            ["--temperature", "0.7", "--max-tokens", "64"],
            {"temperature": 0.7, "maxOutputTokens": 64},
        ),
        (["--option", "topP=0.9", "--option", "seed=7"], {"topP": 0.9, "seed": 7}),
        (["--option", "top_k=40"], {"topK": 40}),
        (["--option", 'stopSequences=["END"]'], {"stopSequences": ["END"]}),
        (["--option", "responseMimeType=text/plain"], {"responseMimeType": "text/plain"}),
        (["--option", "presencePenalty=NaN"], {"presencePenalty": "NaN"}),
        (["--option", "brandNewField=a=b"], {"brandNewField": "a=b"}),
        (["--option", "brand_new_field="], {"brandNewField": ""}),
        (
            ["--json", "--option", 'response_json_schema={"type": "string"}'],
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "string"}},
        ),
    ],
)
def test_the_generation_config(
    server: FakeServer, run: Run, argv: list[str], config: dict[str, object]
) -> None:
    assert run("generate", "Hi", *argv)[0] == 0
    assert server.requests[0].body["generationConfig"] == config


def test_a_warning_has_the_names_of_the_command_line(server: FakeServer, run: Run) -> None:
    status, _, err = run("generate", "Hi", "--model", "gemini-3.8-flash", "--thinking", "minimal")
    assert status == 0
    assert err.splitlines()[0] == (
        "cometgem: warning: 'gemini-3.8-flash' does not take thinking 'minimal': sent as 'low',"
        " the nearest it takes"
    )
    thinking = {"thinkingLevel": "LOW", "includeThoughts": True}
    assert server.requests[0].body["generationConfig"] == {"thinkingConfig": thinking}


def test_warnings_are_one_line(server: FakeServer, run: Run) -> None:
    thinking = 'thinkingConfig={"thinkingLevel": "LOW"}'
    argv = ("generate", "Hi", "--model", "gemini-2.5-flash", "--option", thinking)
    status, out, err = run(*argv)
    assert (status, out) == (0, ANSWER)
    warning, usage = err.splitlines(keepends=True)
    assert warning.startswith("cometgem: warning: thinkingLevel='LOW'")
    assert usage == USAGE
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("given", "model", "config"),
    [
        ("HIGH", "gemini-2.5-flash", {"thinkingBudget": 24576, "includeThoughts": True}),
        ("512", "gemini-2.5-flash", {"thinkingBudget": 512, "includeThoughts": True}),
        ("-1", "gemini-2.5-flash", {"thinkingBudget": -1, "includeThoughts": True}),
        ("dynamic", "gemini-2.5-flash", {"thinkingBudget": -1, "includeThoughts": True}),
        ("0", "gemini-2.5-flash", {"thinkingBudget": 0}),
        ("off", "gemini-2.5-flash", {"thinkingBudget": 0}),
        ("HIGH", MODEL, {"thinkingLevel": "HIGH", "includeThoughts": True}),
        (
            "minimal",
            "gemini-3-flash-preview",
            {"thinkingLevel": "MINIMAL", "includeThoughts": True},
        ),
        ("dynamic", "gemini-3-flash-preview", {"includeThoughts": True}),
        ("xhigh", "gemini-4-hydrogen", {"thinkingLevel": "XHIGH", "includeThoughts": True}),
        ("512", MODEL, {"thinkingBudget": 512, "includeThoughts": True}),
        ("off", MODEL, {"thinkingBudget": 0}),
    ],
)
def test_thinking(
    server: FakeServer, run: Run, given: str, model: str, config: dict[str, object]
) -> None:
    assert run("generate", "Hi", "--model", model, "--thinking", given)[0] == 0
    assert server.requests[0].body["generationConfig"] == {"thinkingConfig": config}


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([""], "the prompt is empty"),
        ([" \n"], "the prompt is empty"),
        (["Hi", "--model", "../files"], "'../files' is not a valid model name"),
        (["Hi", "--model", "a/b"], "'a/b' is not a valid model name"),
        (["Hi", "--model", ""], "'' is not a valid model name"),
        (["Hi", "--no-stream", "--model", "a/b"], "'a/b' is not a valid model name"),
        (["Hi", "--system", ""], "--system is "),
        (["Hi", "--thinking", str(2**31)], f"thinking {2**31} must be 'off', "),
        (["Hi", "--file", "no-such-file.png"], "cannot read 'no-such-file.png'"),
        (["Hi", "--file", __file__ + "/.."], "cannot read"),
        (["Hi", "--option", "topP=1", "--option", "top_p=2"], "--option topP is given twice"),
        (["Hi", "--option", "topP=null", "--option", "topP=2"], "--option topP is given twice"),
        (
            ["Hi", "--temperature", "1", "--option", "temperature=1"],
            "--option temperature and --temperature exclude each other",
        ),
        (
            ["Hi", "--option", "max_output_tokens=1", "--max-tokens", "1"],
            "--option maxOutputTokens and --max-tokens exclude each other",
        ),
        (
            ["Hi", "--json", "--option", "responseMimeType=text/plain"],
            "--option responseMimeType and --json exclude each other",
        ),
        (
            ["Hi", "--thinking", "low", "--option", "thinkingConfig={}"],
            "--option thinkingConfig and --thinking exclude each other",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    server: FakeServer, run: Run, argv: list[str], sentence: str
) -> None:
    status, out, err = run("generate", *argv)
    assert (status, out) == (2, "")
    assert err.startswith(("cometgem: error: ", "cometgem generate: error: "))
    assert sentence in err
    assert err.count("\n") == 1
    assert server.requests == []


@pytest.mark.parametrize("how", [[], ["--no-stream"]])
def test_an_error_of_the_api(server: FakeServer, run: Run, how: list[str]) -> None:
    server.add(Reply.error(401, message=f"wrong key {KEY} \x1b[2J"))
    status, out, err = run("generate", "Hi", *how)
    assert (status, out) == (1, "")
    assert err.startswith("cometgem: error: 401 ")
    assert r"wrong key *** \x1b[2J" in err


def test_a_failure_in_mid_stream_keeps_what_came(server: FakeServer, run: Run) -> None:
    server.add(Reply.text("so far").then_error(500, message="too busy"))
    status, out, err = run("generate", "Hi")
    assert (status, out) == (1, "so far")
    assert err.startswith("cometgem: error: 500")
    assert err.count("\n") == 1


def test_every_recorded_answer(server: FakeServer, run: Run) -> None:
    expected = json.loads(conformance_file("bodies/EXPECT.json").read_bytes())["files"]
    for name, facts in expected.items():
        if facts.get("error") is None and "only-prompt-feedback" not in name:
            server.add(Reply.recorded(conformance_file(f"bodies/{name}")))
            status, out, err = run("generate", "Hi")
            assert (name, status) == (name, int(name in BODIES))
            assert out == facts["merged"]["text"]
            assert f"; finish reason {facts['merged']['finish_reason'] or 'none'}" in err


def test_no_connection(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound but not listening
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("COMETAPI_KEY", KEY)
        monkeypatch.setenv("COMETAPI_BASE_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setattr("cometgem.http.retry.RetryPolicy.delay", lambda *_: None)
        status, out, err = run("generate", "Hi")
    assert (status, out) == (1, "")
    assert err.startswith("cometgem: error: no response from http://127.0.0.1:")


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (
            Reply.chunks({"promptFeedback": {"blockReason": "SAFETY"}}),
            "the prompt was blocked: SAFETY",
        ),
        (
            Reply.chunks({"promptFeedback": {"blockReason": "X", "blockReasonMessage": "no"}}),
            "the prompt was blocked: X: no",
        ),
        (
            Reply.chunks(
                {"candidates": [{"finishReason": "OTHER", "finishMessage": "broke\n\x1b[2J"}]}
            ),
            r"the model did not answer; finish reason OTHER: broke\u000a\u001b[2J",
        ),
        (
            Reply.chunks({"text": "hm", "thought": True}).finish("MAX_TOKENS"),
            "the model did not answer; finish reason MAX_TOKENS",
        ),
    ],
)
def test_no_answer_is_no_success(server: FakeServer, run: Run, reply: Reply, sentence: str) -> None:
    server.add(reply)
    status, out, err = run("generate", "Hi")
    assert (status, out) == (1, "")
    assert err.endswith(f"\ncometgem: error: {sentence}\n")


def test_an_answer_without_words_is_an_answer(server: FakeServer, run: Run) -> None:
    server.add(Reply.text("").usage(None))
    note = "usage: no token counts; finish reason STOP\n"
    assert run("generate", "Hi") == (0, "", note)


def test_parts_that_are_not_text_are_noted(server: FakeServer, run: Run) -> None:
    server.add(
        Reply.call("f", {"a": "\x1b", "b": [1, None]})
        .then(Reply.image(b"x" * 12345))
        .then(
            Reply.chunks(
                {"inlineData": {"data": "eA=="}},
                {"executableCode": {"code": "print(1)\n", "language": "PYTHON"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_FAILED"}},
                {"fileData": {"fileUri": "https://example.com/a.mp4"}},
            )
        )
        .finish("MAX_TOKENS")
    )
    status, out, err = run("generate", "Hi")
    assert (status, out) == (0, "")
    assert err.splitlines()[:-1] == [
        r'call: f(a="\u001b", b=[1, null])',
        "image: 12,345 bytes of image/png",
        "media: 1 bytes of unknown type",
        r'code: "print(1)\n"',
        r'result: OUTCOME_OK "1\n"',
        'result: OUTCOME_FAILED ""',
        'part: {"fileData":{"fileUri":"https://example.com/a.mp4"}}',
    ]


def lines(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_raw_is_the_json_of_each_chunk(server: FakeServer, run: Run) -> None:
    chunk = b'{"candidates": [{"content": {"parts": [{"text":"\xc3\xa9\xe2\x80\xa8"}]}}], "new": 1}'
    last = b'{"candidates":[{"finishReason":"STOP"}]}'
    server.add(Reply.raw(b"data: " + chunk + b"\n\ndata: " + last + b"\n\n"))
    status, out, err = run("generate", "Hi", "--raw")
    assert status == 0
    assert out.encode() == chunk + b"\n" + last + b"\n"
    assert err == "usage: no token counts; finish reason STOP\n"


@pytest.mark.parametrize("how", [[], ["--no-stream"]])
def test_raw_folds_lines(server: FakeServer, run: Run, how: list[str]) -> None:
    body = {"candidates": [{"content": {"parts": [{"text": "a b"}]}, "finishReason": "STOP"}]}
    server.add(Reply.raw(json.dumps(body, indent=2).replace("\n", "\r\n").encode()))
    status, out, _ = run("generate", "Hi", "--raw", *how)
    assert status == 0
    assert lines(out) == [body]
    assert "  " not in out


def test_raw_merges_a_stream_that_was_sent_for_one_response(server: FakeServer, run: Run) -> None:
    server.add(Reply.raw(conformance_file(SHORT).read_bytes()))
    status, out, _ = run("generate", "Hi", "--raw", "--no-stream")
    assert status == 0
    (merged,) = lines(out)
    text = "The capital of Wyoming is **Cheyenne**.\n"
    assert merged["candidates"][0]["content"]["parts"] == [{"text": text}]


def test_raw_in_a_terminal_is_still_json(
    server: FakeServer, terminal: Callable[..., tuple[int, str]]
) -> None:
    server.add(Reply.text("\x7f\x9b\x1b"))
    status, screen = terminal("generate", "Hi", "--raw")
    assert status == 0
    assert screen.isprintable() or "\x9b" not in screen.replace("\n", "")
    body = json.loads(screen.splitlines()[0])
    assert body["candidates"][0]["content"]["parts"] == [{"text": "\x7f\x9b\x1b"}]
