"""What is read from the name of a model."""

from __future__ import annotations

import pytest

from cometgem.request.model_names import read_model_name


@pytest.mark.parametrize(
    ("model", "product", "generation", "variant", "suffix"),
    [
        ("gemini-3.8-flash", "gemini", (3, 8), "flash", ""),
        ("models/gemini-3-pro-preview", "gemini", (3, 0), "pro-preview", ""),
        ("GEMINI-2.5-Flash-Lite", "gemini", (2, 5), "flash-lite", ""),
        ("gemini-4", "gemini", (4, 0), "", ""),
        ("gemini-3.10-flash", "gemini", (3, 10), "flash", ""),
        ("[vip]gemini-3.8-flash@001", "gemini", (3, 8), "flash@001", ""),
        ("gemma-4-31b-it", "gemma", (4, 0), "31b-it", ""),
        ("gemini-2.5-flash-thinking", "gemini", (2, 5), "flash", "thinking"),
        ("gemini-2.5-flash-nothinking", "gemini", (2, 5), "flash", "nothinking"),
        ("gemini-2.5-flash-thinking-1024", "gemini", (2, 5), "flash", "thinking-1024"),
        ("gemini-3-pro-preview-XHigh", "gemini", (3, 0), "pro-preview", "xhigh"),
        ("gemini-4-high", "gemini", (4, 0), "", "high"),
        ("gemini-2.0-flash-thinking-exp-01-21", "gemini", (2, 0), "flash-thinking-exp-01-21", ""),
        ("gemini-flash-latest", "", (0, 0), "", ""),
        ("gemini-flash-latest-low", "", (0, 0), "", "low"),
        ("gemini-1.2.3", "", (0, 0), "", ""),
        ("gemini-flow", "", (0, 0), "", ""),
        ("a-model", "", (0, 0), "", ""),
    ],
)
def test_a_name_is_taken_apart(
    model: str, product: str, generation: tuple[int, int], variant: str, suffix: str
) -> None:
    assert read_model_name(model) == (product, generation, variant, suffix)


@pytest.mark.parametrize(
    ("model", "family", "is_one"),
    [
        ("gemini-3-pro-preview", "pro", True),
        ("gemini-3-pro@001", "pro", True),
        ("gemini-3-prologue", "pro", False),
        ("gemini-3-flash", "pro", False),
        ("gemini-3-flash-lite", "flash", True),
        ("gemini-3-flash", "flash-lite", False),
        ("gemini-3-flash", "", True),
    ],
)
def test_families(model: str, family: str, *, is_one: bool) -> None:
    assert read_model_name(model).is_family(family) == is_one
