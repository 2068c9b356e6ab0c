"""Docstrings as descriptions, in the three usual styles."""

import pytest

from cometgem.request.docstring import read_docstring

NUMPY = """Find rows.

    More about it.

    Parameters
    ----------
    query : str
        What to find,
        in SQL.

        Always.
    limit, offset : int, optional
        How many.
    **options
        Others.

    Returns
    -------
    list
        The rows.
    """
SPHINX = """Find rows.

    :param query: What to find,
        in SQL.
    :param int limit: How many.
    :type query: str
    :param \\*\\*options: Others.
    :arg offset:
        Where to begin.
    :returns: The rows.
    """


@pytest.mark.parametrize(
    ("docstring", "description", "arguments"),
    [
        (None, "", {}),
        ("", "", {}),
        ("Look it up.", "Look it up.", {}),
        ("\n    Look\n    it up.\n\n    At length.\n    ", "Look\nit up.\n\nAt length.", {}),
        ("\n    Args:\n        city: Where.\n    ", "", {"city": "Where."}),
        ("Do.\n\nArgs:\n    city: Where.\n    day (str, optional): When.", "Do.", {
            "city": "Where.", "day": "When."}),
        ("Do.\n\nArgs:\n    city: The place,\n        in English: always.\n    day: When.", "Do.", {
            "city": "The place, in English: always.", "day": "When."}),
        ("Do.\n\nArguments:\n  city :  Where.\n\n  day:\n    When.\n", "Do.", {
            "city": "Where.", "day": "When."}),
        ("Do.\n\nArgs:\n    *rest: All.\n    **more: Others.", "Do.", {
            "rest": "All.", "more": "Others."}),
        ("Do.\n\nArgs:\n    city: Where.\n\nReturns:\n    day: When.\n",
         "Do.\n\nReturns:\n    day: When.", {"city": "Where."}),
        ("Do.\nArgs:\n    city: Where.\nRaises:\n    KeyError: Not.\n",
         "Do.\nRaises:\n    KeyError: Not.", {"city": "Where."}),
        ("Do.\n\nNote:\n    city: Where.\n", "Do.\n\nNote:\n    city: Where.", {}),
        ("Do: it.\n\nArgs:\nSo long.\n    city: Where.",
         "Do: it.\n\nSo long.\n    city: Where.", {}),
        ("Do.\n\nArgs:\n    url: See https://a.example/b: there.", "Do.", {
            "url": "See https://a.example/b: there."}),
        (NUMPY, "Find rows.\n\nMore about it.\n\nReturns\n-------\nlist\n    The rows.", {
            "query": "What to find, in SQL. Always.", "limit": "How many.",
            "offset": "How many.", "options": "Others."}),
        ("Do.\n\nParameters\n----------\ncity : str\n    Where.\n\nSo long.", "Do.\n\nSo long.", {
            "city": "Where."}),
        ("Do.\n\nParameters\nof all kinds.", "Do.\n\nParameters\nof all kinds.", {}),
        (SPHINX, "Find rows.\n\n:returns: The rows.", {
            "query": "What to find, in SQL.", "limit": "How many.", "options": "Others.",
            "offset": "Where to begin."}),
    ],
)  # fmt: skip
def test_descriptions_and_parameters_are_read(
    docstring: str | None, description: str, arguments: dict[str, str]
) -> None:
    assert read_docstring(docstring) == (description, arguments)
