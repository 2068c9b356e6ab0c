"""The parameter that receives the context of a call."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import pytest

from cometgem import ConfigurationError, FunctionCall, FunctionTool, ToolContext
from cometgem.request.tool_context import is_context
from cometgem.types.content import Content


@pytest.mark.parametrize(
    "annotation",
    [
        ToolContext,
        ToolContext | None,
        Optional[ToolContext],  # noqa: UP045
        Annotated[ToolContext, "text"],
        Annotated[ToolContext | None, "text"],
    ],
)
def test_annotations_that_receive_the_context(annotation: Any) -> None:
    assert is_context(annotation)


@pytest.mark.parametrize("annotation", [int, list[ToolContext], ToolContext | int, None, Any])
def test_annotations_that_do_not(annotation: Any) -> None:
    assert not is_context(annotation)


def test_the_context_is_not_declared_to_the_model() -> None:
    def rows(query: str, context: ToolContext) -> None:
        """Find rows.

        Args:
            query: What to find.
            context: Not for the model.
        """

    tool = FunctionTool(rows)
    assert tool.context_parameter == "context"
    schema = tool.declaration.parameters_json_schema
    assert [*schema["properties"]] == schema["required"] == ["query"]
    call = FunctionCall(name="rows", args={"query": "a", "context": {"round": 9}})
    with pytest.raises(Exception, match="unknown field `context`"):
        tool.parse(call)


def test_a_function_without_context() -> None:
    def rows(query: str) -> None: ...

    assert FunctionTool(rows).context_parameter is None


def test_two_contexts_are_refused() -> None:
    def rows(one: ToolContext, two: ToolContext) -> None: ...

    with pytest.raises(ConfigurationError, match=r"'two' of 'rows' .* only one"):
        FunctionTool(rows)


def test_what_a_context_holds() -> None:
    call = FunctionCall(name="rows", id="7")
    context = ToolContext(call=call, call_id=call.id, round=2, history=[Content(role="user")])
    assert (context.call, context.call_id, context.round) == (call, "7", 2)
    assert context.history == [Content(role="user")]
    with pytest.raises(AttributeError):
        context.round = 3  # type: ignore[misc]


def test_a_tool_without_a_function_is_declared() -> None:
    tool = FunctionTool(None, name="approve", description="Ask a person.")
    assert tool.function is None
    assert tool.declaration.name == "approve"
    assert tool.declaration.description == "Ask a person."
    assert tool.parse(FunctionCall(name="approve")) == {}
