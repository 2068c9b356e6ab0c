"""One request of a conversation, as the caller may prepare it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cometgem.request.contents import Turn
    from cometgem.request.functions import ToolLike
    from cometgem.types.dicts import ToolConfigDict
    from cometgem.types.tools import ToolConfig

__all__ = ["Round"]


class Round(msgspec.Struct, kw_only=True):
    """The next request of a conversation, given to ``prepare_round``, which may change it.

    Changes apply to this request only and are not kept in the history.

    Attributes:
        number: The number of the round, from 1.
        model: The model's name.
        contents: The conversation so far. Replace items, do not change them: they belong to the
            caller's history.
        tools: The tools; None if the conversation was started without any.
        tool_config: How the model may use the tools.
    """

    number: int
    model: str
    contents: list[Turn]
    tools: list[ToolLike] | None = None
    tool_config: ToolConfig | ToolConfigDict | None = None
