import pytest

from cometgem.request.docstring import read_docstring


@pytest.mark.parametrize(
    ("docstring", "summary", "arguments"),
    [
        (None, "", {}),
        ("", "", {}),
        ("Look it up.", "Look it up.", {}),
        ("\n    Look\n    it up.\n\n    At length.\n    ", "Look it up.", {}),
        ("\n    Args:\n        city: Where.\n    ", "", {"city": "Where."}),
        ("Do.\n\nArgs:\n    city: Where.\n    day (str, optional): When.", "Do.", {
            "city": "Where.", "day": "When."}),
        ("Do.\n\nArgs:\n    city: The place,\n        in English: always.\n    day: When.", "Do.", {
            "city": "The place, in English: always.", "day": "When."}),
        ("Do.\n\nArguments:\n  city :  Where.\n\n  day:\n    When.\n", "Do.", {
            "city": "Where.", "day": "When."}),
        ("Do.\n\nArgs:\n    *rest: All.\n    **more: Others.", "Do.", {
            "rest": "All.", "more": "Others."}),
        ("Do.\n\nArgs:\n    city: Where.\n\nReturns:\n    day: When.\n", "Do.", {"city": "Where."}),
        ("Do.\nArgs:\n    city: Where.\nRaises:\n    KeyError: Not.\n", "Do.", {"city": "Where."}),
        ("Do.\n\nNote:\n    city: Where.\n", "Do.", {}),
        ("Do: it.\n\nArgs:\nSo long.\n    city: Where.", "Do: it.", {}),
    ],
)  # fmt: skip
def test_summaries_and_arguments_are_read(
    docstring: str | None, summary: str, arguments: dict[str, str]
) -> None:
    assert read_docstring(docstring) == (summary, arguments)
