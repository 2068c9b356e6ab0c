"""`cometgem generate --schema` and `--items`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cli.speaking import USAGE

from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.speaking import Run

    Ask = Callable[..., tuple[int, str, str]]

PLANET = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "moons": {"type": "integer"}},
    "required": ["name"],
}
LIST = {"$defs": {"planet": PLANET}, "type": "array", "items": {"$ref": "#/$defs/planet"}}
SYSTEM = {"$schema": "x", "properties": {"star": {"type": "string"}, "planets": LIST}}
SYSTEM |= {"$defs": {"planet": PLANET}, "type": "object"}
TEXT = '[{"name": "Mars", "moons": 2},\n {"name": "Venus", "moons": 1.50e1}]'


@pytest.fixture
def ask(run: Run, tmp_path: Path) -> Ask:
    """Write a schema and run the command; returns the exit code, stdout and stderr."""

    def ask(schema: Any, *argv: str) -> tuple[int, str, str]:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        (tmp_path / "schema.json").write_text(text)
        return run("generate", "Planets", "--schema", "schema.json", *argv)

    return ask


@pytest.mark.parametrize("how", [[], ["--no-stream"], ["--json"]])
@pytest.mark.parametrize("text", [TEXT, f"```json\n{TEXT}\n```"])
def test_json_is_checked_and_printed_as_it_is(
    server: FakeServer, ask: Ask, how: list[str], text: str
) -> None:
    server.add(Reply.text(text[:20], text[20:], thought="Hm."))
    status, out, err = ask(LIST, *how)
    assert (status, out) == (0, TEXT + "\n")
    assert err.startswith("usage: ")
    config = server.requests[0].body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    sent = config["responseJsonSchema"]
    assert "$defs" not in sent
    assert sent["items"]["properties"]["name"] == {
        "type": "string",
        "description": "Pattern: ^[A-Z].",
    }


@pytest.mark.parametrize("how", [[], ["--no-stream"]])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[{"moons": 2}]', "does not match the schema: has no field 'name' at $[0]"),
        ('[{"name": 1}]', "does not match the schema: expected string, got number at $[0].name"),
        ("Sorry.", "does not match the schema: Expecting value: line 1 column 1 (char 0)"),
        ("[NaN]", "does not match the schema: NaN is not JSON"),
    ],
)
def test_json_that_does_not_fit_is_not_printed(
    server: FakeServer, ask: Ask, how: list[str], text: str, sentence: str
) -> None:
    server.add(Reply.text(text))
    status, out, err = ask(LIST, *how)
    assert (status, out) == (1, "")
    usage, error = err.splitlines()
    assert usage.startswith("usage: ")
    assert error == f"cometgem: error: the answer {sentence}"


def test_an_answer_that_is_cut_or_blocked(server: FakeServer, ask: Ask) -> None:
    server.add(Reply.text(TEXT[:20]).finish("MAX_TOKENS"))
    server.add(Reply.chunks({"promptFeedback": {"blockReason": "SAFETY"}}))
    for words in ("the answer was cut off (MAX_TOKENS)", "the prompt was blocked (SAFETY)"):
        status, out, err = ask(LIST)
        assert (status, out) == (1, "")
        assert words in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("whole", "text"),
    [(LIST, TEXT), (SYSTEM, f'{{"star": "Sun", "planets": {TEXT}}}')],
)
def test_items_are_lines(server: FakeServer, ask: Ask, whole: Any, text: str) -> None:
    server.add(Reply.text(*text))
    status, out, err = ask(whole, "--items")
    assert (status, err.startswith("usage: ")) == (0, True)
    # Byte for byte, so that numbers stay as the model wrote them.
    assert out == '{"name": "Mars", "moons": 2}\n{"name": "Venus", "moons": 1.50e1}\n'


def test_items_before_one_that_does_not_fit_are_printed(server: FakeServer, ask: Ask) -> None:
    server.add(Reply.text('[{"name": "Mars"}, {"name": 1}, {"name": "Venus"}]'))
    status, out, err = ask(LIST, "--items")
    assert (status, out) == (1, '{"name": "Mars"}\n')
    assert err.splitlines()[-1] == (
        "cometgem: error: the answer does not match the schema: expected string, got number at"
        " $[1].name, in element 1"
    )


def test_what_is_around_the_items_is_checked_at_the_end(server: FakeServer, ask: Ask) -> None:
    server.add(Reply.text('{"planets": [{"name": "Mars"}], "star": 5}'))
    status, out, err = ask(SYSTEM, "--items")
    assert (status, out) == (1, '{"name": "Mars"}\n')
    assert err.endswith("expected string, got number at $.star\n")


@pytest.mark.parametrize("how", [[], ["--no-stream"]])
def test_raw_is_checked_as_well(server: FakeServer, ask: Ask, how: list[str]) -> None:
    server.add(Reply.text("[]"), Reply.text("{}"))
    status, out, _ = ask(LIST, "--raw", *how)
    assert (status, json.loads(out)["candidates"][0]["content"]["parts"][0]["text"]) == (0, "[]")
    status, out, err = ask(LIST, "--raw", *how)
    assert status == 1
    assert "expected array, got object at $" in err


def test_the_made_up_answers_of_the_server_fit(server: FakeServer, ask: Ask) -> None:
    status, out, _ = ask(SYSTEM)
    assert (status, len(server.requests)) == (0, 1)
    assert json.loads(out)["planets"]


def test_a_server_cannot_control_the_terminal(
    server: FakeServer, terminal: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    (tmp_path / "schema.json").write_text("{}")
    server.add(Reply.text('["\x9b\x7f"]'))
    status, screen = terminal("generate", "Hi", "--schema", "schema.json")
    assert status == 0
    assert screen.startswith(r'["\u009b\u007f"]' + "\n" + USAGE[:7])


@pytest.mark.parametrize(
    ("given", "argv", "sentence"),
    [
        ("{", [], "--schema 'schema.json' is not valid: it is not JSON: Expecting property name"),
        ("[]", [], "--schema 'schema.json' is not valid: a schema is a JSON object"),
        ({"$ref": "other.json"}, [], "refers to 'other.json', but only #/$defs can be sent"),
        ({"$ref": "#/$defs/a"}, [], "refers to '#/$defs/a', which is not in it"),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"required": ["b"], "properties": {
                "b": {"$ref": "#/$defs/a"}}}}},
            [],
            "--schema schema.json cannot be declared: a.b contains a again and is required",
        ),
        (PLANET, ["--items"], "one property that is a list; 'schema.json' has no list"),
        (
            {"properties": {"a": {"type": "array"}, "b": {"type": "array"}}},
            ["--items"],
            "'schema.json' has 2 properties that are lists",
        ),
        ({"properties": {"a.b": {"type": "array"}}}, ["--items"], "whose name has no dot"),
        (LIST, ["--items", "--raw"], "--items and --raw exclude each other"),
        (LIST, ["--items", "--no-stream"], "--items and --no-stream exclude each other"),
        (LIST, ["--image-out", "a"], "--schema and --image-out exclude each other"),
        (LIST, ["--option", "responseSchema={}"], "--option responseSchema and --schema exclude"),
        (LIST, ["--option", "responseMimeType=text/plain"], "and --schema exclude each other"),
        (LIST, ["--schema", "b"], "--schema is given twice"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused_before_anything_is_sent(
    server: FakeServer, ask: Ask, given: Any, argv: list[str], sentence: str
) -> None:
    status, out, err = ask(given, *argv)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert server.requests == []


def test_options_without_their_file(server: FakeServer, run: Run) -> None:
    status, _, err = run("generate", "Hi", "--items")
    assert (status, err) == (2, "cometgem generate: error: --items needs --schema\n")
    status, _, err = run("generate", "Hi", "--schema", "no.json")
    assert (status, err) == (
        2,
        "cometgem: error: cannot read 'no.json' (No such file or directory)\n",
    )
    assert server.requests == []
