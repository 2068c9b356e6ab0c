import json
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from cometgem.errors import ConfigurationError
from cometgem.request.contents import contents_to_wire, instruction_to_wire
from cometgem.types import Content, FunctionCall, GenerateContentResponse, Part
from cometgem.types.wire import encode


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def model(*parts: Any) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


A, B = {"text": "a"}, {"text": "b"}
IMAGE = {"inlineData": {"data": "AA==", "mimeType": "image/png"}}
CALL = {"functionCall": {"name": "f", "args": {"snake_case": None}}}


@pytest.mark.parametrize(
    ("contents", "turns"),
    [
        ("a", [user(A)]),
        (Part(text="a"), [user(A)]),
        (A, [user(A)]),
        (Content(parts=[Part(text="a")]), [user(A)]),
        (Content(role="model", parts=[Part(text="a")]), [model(A)]),
        (model(A), [model(A)]),
        (MappingProxyType(model(A)), [model(A)]),
        ({"parts": [A]}, [user(A)]),
        ({"parts": [A], "role": ""}, [user(A)]),
        ({"parts": (A, Part(text="b")), "role": None}, [user(A, B)]),
        (["a"], [user(A)]),
        (("a", "b"), [user(A, B)]),
        (["a", Part.from_bytes(b"\0", "image/png"), B], [user(A, IMAGE, B)]),
        (
            ["a", model(B), "b", A, Content(role="model", parts=[Part(text="a")]), "b"],
            [user(A), model(B), user(B, A), model(A), user(B)],
        ),
        ([user(A), user(B)], [user(A), user(B)]),
        (["a", user(B), "a"], [user(A), user(B), user(A)]),
        ({"inline_data": {"mime_type": "image/png", "data": "AA=="}}, [user(IMAGE)]),
        ([model({"function_call": CALL["functionCall"]})], [model(CALL)]),
        ({"text": "", "thought_signature": "s"}, [user({"text": "", "thoughtSignature": "s"})]),
        (Part(text="", thought_signature="s"), [user({"text": "", "thoughtSignature": "s"})]),
        ({"newer": {"key": 1}}, [user({"newer": {"key": 1}})]),
        ({"parts": [A], "newer": 0}, [user(A) | {"newer": 0}]),
    ],
)
def test_contents_become_turns(contents: Any, turns: list[Any]) -> None:
    assert json.loads(encode(contents_to_wire(contents))) == turns


@pytest.mark.parametrize(
    ("instruction", "parts"),
    [
        ("a", [A]),
        (Part(text="a"), [A]),
        (A, [A]),
        (Content(role="system", parts=[Part(text="a")]), [A]),
        ({"role": "user", "parts": [A, {"text": "b"}]}, [A, B]),
        (["a", {"parts": [B]}, Content(parts=[Part(text="a")]), B], [A, B, A, B]),
    ],
)
def test_a_system_instruction_has_parts_and_no_role(instruction: Any, parts: list[Any]) -> None:
    assert json.loads(encode(instruction_to_wire(instruction))) == {"parts": parts}


def test_newer_keys_of_a_system_instruction_pass() -> None:
    assert instruction_to_wire({"parts": [A], "newer": 0}) == {"parts": [A], "newer": 0}


EXPECTED = (
    " must be a str, a Path, a Part, a Content, a dict in wire form, or a list of these, got "
)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (None, "<x>" + EXPECTED + "NoneType"),
        (5, "<x>" + EXPECTED + "int"),
        (b"a", "<x>" + EXPECTED + "bytes"),
        ({"a"}, "<x>" + EXPECTED + "set"),
        ((one for one in "ab"), "<x>" + EXPECTED + "generator"),
        (GenerateContentResponse(), "<x>" + EXPECTED + "GenerateContentResponse"),
        ([], "<x> is an empty list: give at least one text or part"),
        ("", "<x> is blank: give it some text"),
        (" \n", "<x> is blank: give it some text"),
        (["a", ""], "<x>[1] is blank: give it some text"),
        (["a", 5], "<x>[1]" + EXPECTED + "int"),
        (["a", None], "<x>[1]" + EXPECTED + "NoneType"),
        ([["a"]], "<x>[0]" + EXPECTED + "list"),
        ([FunctionCall(name="f")], "<x>[0]" + EXPECTED + "FunctionCall"),
        ({}, "<x> is an empty part: set its text or another field"),
        (Part(), "<x> is an empty part: set its text or another field"),
        (["a", {}], "<x>[1] is an empty part: set its text or another field"),
        (Content(), "<x> has no parts: give it at least one"),
        ({"role": "user"}, "<x> has no parts: give it at least one"),
        (["a", {"role": "user", "parts": []}], "<x>[1] has no parts: give it at least one"),
        ({"parts": None}, "<x> has no parts: give it at least one"),
        ({"parts": "a"}, "<x>.parts must be a list of Part or dict, got str"),
        ({"parts": A}, "<x>.parts must be a list of Part or dict, got dict"),
        ({"parts": ["a"]}, "<x>.parts[0] must be a Part or a dict, got str"),
        ({"parts": [A], "rol": "user"}, "<x> has no key 'rol': did you mean 'role'?"),
        ({"texts": "a"}, "<x> has no key 'texts': did you mean 'text'?"),
        ({5: "a"}, "a key of <x> must be a str, got int"),
    ],
)
@pytest.mark.parametrize(
    ("to_wire", "name"),
    [(contents_to_wire, "contents"), (instruction_to_wire, "system_instruction")],
)
def test_invalid_contents_are_refused(
    contents: Any, message: str, to_wire: Callable[[Any], Any], name: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        to_wire(contents)
    assert str(caught.value) == message.replace("<x>", name)


def test_a_path_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\0")
    for contents, turns in (
        (path, [user(IMAGE)]),
        (["a", path, B], [user(A, IMAGE, B)]),
        ([model(A), path], [model(A), user(IMAGE)]),
    ):
        assert json.loads(encode(contents_to_wire(contents))) == turns
    assert json.loads(encode(contents_to_wire(str(path)))) == [user({"text": str(path)})]


def test_files_that_cannot_be_sent_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.unknown-type").write_bytes(b"data")
    with pytest.raises(ConfigurationError, match=r"^contents\[1\] is a file that cannot be sent: "):
        contents_to_wire(["a", tmp_path / "a.unknown-type"])
    for path in (tmp_path, tmp_path / "absent.png"):
        with pytest.raises(ConfigurationError, match=r"^contents is a file that cannot be read: "):
            contents_to_wire(path)
    with pytest.raises(
        ConfigurationError, match=r"^contents is a file that cannot be sent: .*path"
    ):
        contents_to_wire(Path("a\0.png"))


def test_the_contents_are_not_modified() -> None:
    content = Content(parts=[Part(text="a")])
    turn = {"parts": [A]}
    given = ["a", content, turn]
    contents_to_wire(given)
    assert given == ["a", content, turn]
    assert content.role is None
    assert turn == {"parts": [A]}
