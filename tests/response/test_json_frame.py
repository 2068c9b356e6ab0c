import pytest

from cometgem.response.json_frame import JSONSyntaxError, unwrap
from cometgem.response.partial_json import PartialJSON

FRAMED = [
    "[1]",
    " \r\n\t[1]\n",
    "```json\n[1]\n```",
    "\n```JSON\n[1]\n```\n",
    "```\n[1]```  ",
    "```[1]```",
    "```json[1]",
]
UNFRAMED = {
    "[1] ```": 4,
    "[1] and more": 4,
    "```json [1] ``` `": 16,
    "```json [1] `` `": 12,
    "```json [1] ````": 15,
    "```json [1] x": 12,
    "Here: [1]": 0,
    "``json [1]": 0,
    "```javascript [1]": 3,
    "```jsonc [1]": 7,
    "``` ```json [1]": 4,
    "```json [1] ``": 14,
    "`[1]`": 0,
    "\ufeff[1]": 0,
}


def read(pieces: list[str]) -> object:
    partial = PartialJSON()
    for piece in pieces:
        partial.feed(piece)
    partial.close()
    return partial.value


@pytest.mark.parametrize("text", FRAMED)
def test_blanks_and_one_fence_are_taken_off(text: str) -> None:
    assert read([text]) == read(list(text)) == [1]
    assert unwrap(text) == "[1]"


@pytest.mark.parametrize("text", UNFRAMED)
def test_any_other_text_is_an_error_with_its_position(text: str) -> None:
    for pieces in ([text], list(text)):
        with pytest.raises(JSONSyntaxError) as caught:
            read(pieces)
        assert caught.value.position == UNFRAMED[text]


@pytest.mark.parametrize("text", ["", "  ", "`", "`[1]`", "[1] ```", "Here: [1]", "``` `"])
def test_unwrap_leaves_other_text_to_the_decoder(text: str) -> None:
    assert unwrap(text) in (text.strip(), "`")
