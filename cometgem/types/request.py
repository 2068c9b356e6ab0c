"""The body of both operations. No I/O; wire-faithful."""

from msgspec import field

from cometgem.types.content import Content
from cometgem.types.generation import GenerationConfig
from cometgem.types.tools import Tool, ToolConfig
from cometgem.types.wire import Wire


class SafetySetting(Wire, kw_only=True):
    """What to block, per category: a `HarmCategory` and a `HarmBlockThreshold`."""

    category: str
    threshold: str


class GenerateContentRequest(Wire, kw_only=True):
    """The body of `generateContent` and `streamGenerateContent`."""

    contents: list[Content]
    """The conversation so far, oldest turn first."""
    system_instruction: Content | None = None
    tools: list[Tool] = field(default_factory=list)
    tool_config: ToolConfig | None = None
    safety_settings: list[SafetySetting] = field(default_factory=list)
    generation_config: GenerationConfig | None = None
    cached_content: str | None = None
    """`cachedContents/{id}`."""
    model: str | None = None
    """`models/{model}`; redundant, since the URL has it."""
    service_tier: str | None = None
    store: bool | None = None
