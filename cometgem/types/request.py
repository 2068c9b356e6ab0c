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
    method: str | None = None
    """A `HarmBlockMethod`; for Vertex-backed channels."""


class ModelArmorConfig(Wire, kw_only=True):
    """The Model Armor templates that check prompt and answer, with Vertex-backed channels."""

    prompt_template_name: str | None = None
    response_template_name: str | None = None


class GenerationOutputConfig(Wire, kw_only=True):
    """Where to write generated media: a prefix such as "gs://bucket/folder"; for Vertex."""

    output_uri_prefix: str | None = None


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
    continuation_token: str | None = None
    """Opaque base64: the token of the response to go on from, sent with the same request."""
    labels: dict[str, str] | None = None
    """Shown in the bill; for Vertex-backed channels, like the fields below."""
    model_armor_config: ModelArmorConfig | None = None
    output_config: GenerationOutputConfig | None = None
    generation_output_config: GenerationOutputConfig | None = None  # google-genai's name for it
