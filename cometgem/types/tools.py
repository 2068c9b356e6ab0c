"""Tools that the model may use: functions, and the server's own. No I/O; wire-faithful."""

from typing import Any

from msgspec import field

from cometgem.types.retrieval import AuthConfig, Retrieval
from cometgem.types.wire import Wire


class Schema(Wire, kw_only=True):
    """A type in the API's subset of OpenAPI 3.0; `type` is a `SchemaType`.

    For JSON Schema, use the fields whose names end in `json_schema` instead. Sizes are int64:
    the server writes them as JSON strings, the caller may write numbers or strings.
    """

    type: str | None = None
    format: str | None = None
    title: str | None = None
    description: str | None = None
    nullable: bool | None = None
    enum: list[str] = field(default_factory=list)
    items: "Schema | None" = None
    min_items: int | str | None = None
    max_items: int | str | None = None
    properties: dict[str, "Schema"] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    property_ordering: list[str] = field(default_factory=list)
    """The order in which the model writes the properties."""
    min_properties: int | str | None = None
    max_properties: int | str | None = None
    any_of: list["Schema"] = field(default_factory=list)
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | str | None = None
    max_length: int | str | None = None
    pattern: str | None = None
    example: Any = None
    additional_properties: Any = None
    """True, False or a schema; for Vertex-backed channels, like the fields below."""
    default: Any = None
    ref: str | None = None
    """A reference such as "#/defs/Node"."""
    defs: dict[str, "Schema"] = field(default_factory=dict)


class FunctionDeclaration(Wire, kw_only=True):
    """A function of the caller that the model may ask to call.

    Set `parameters` or `parameters_json_schema`, not both; likewise for the response. `behavior`
    is a `Behavior`.
    """

    name: str
    description: str | None = None
    parameters: Schema | None = None
    parameters_json_schema: Any = None
    response: Schema | None = None
    response_json_schema: Any = None
    behavior: str | None = None


class CodeExecution(Wire, kw_only=True):
    """Lets the model write and run Python on the server."""


class ComputerUse(Wire, kw_only=True):
    """Lets the model operate a screen through predefined functions."""

    environment: str
    """An `Environment`."""
    excluded_predefined_functions: list[str] = field(default_factory=list)
    disabled_safety_policies: list[str] = field(default_factory=list)
    """`SafetyPolicy` values."""
    enable_prompt_injection_detection: bool | None = None


class FileSearch(Wire, kw_only=True):
    """Lets the model search stored files, in `fileSearchStores/{id}`."""

    file_search_store_names: list[str]
    metadata_filter: str | None = None
    top_k: int | None = None


class GoogleMapsPlaces(Wire, kw_only=True):
    """Look up places."""


class GoogleMapsRouting(Wire, kw_only=True):
    """Look up routes."""


class GoogleMapsGroundingTypes(Wire, kw_only=True):
    """What to look up; set a field to an empty struct to enable it."""

    places: GoogleMapsPlaces | None = None
    routing: GoogleMapsRouting | None = None


class GoogleMaps(Wire, kw_only=True):
    """Lets the model look up places; the last two fields are for Vertex-backed channels."""

    enable_widget: bool | None = None
    auth_config: AuthConfig | None = None
    grounding_types: GoogleMapsGroundingTypes | None = None


class ImageSearch(Wire, kw_only=True):
    """Search for images, which returns bytes."""


class WebSearch(Wire, kw_only=True):
    """Search for pages, which returns text."""


class SearchTypes(Wire, kw_only=True):
    """What to search for; set a field to an empty struct to enable it."""

    image_search: ImageSearch | None = None
    web_search: WebSearch | None = None


class Interval(Wire, kw_only=True):
    """A span of time in RFC 3339; the end is exclusive."""

    start_time: str | None = None
    end_time: str | None = None


class GoogleSearch(Wire, kw_only=True):
    """Lets the model search with Google; set both ends of the time range or neither."""

    search_types: SearchTypes | None = None
    time_range_filter: Interval | None = None
    exclude_domains: list[str] = field(default_factory=list)
    blocking_confidence: str | None = None
    """A `PhishBlockThreshold`; for Vertex-backed channels, like the field above."""


class EnterpriseWebSearch(Wire, kw_only=True):
    """Lets the model search an index of the web made for regulated industries; for Vertex."""

    exclude_domains: list[str] = field(default_factory=list)
    blocking_confidence: str | None = None
    """A `PhishBlockThreshold`."""


class ParallelAiSearch(Wire, kw_only=True):
    """Lets the model search with Parallel AI; for Vertex-backed channels."""

    api_key: str | None = None
    custom_configs: dict[str, Any] | None = None
    enable_data_retention: bool | None = None
    enable_zero_data_retention: bool | None = None


class ExaAiSearch(Wire, kw_only=True):
    """Lets the model search with Exa; for Vertex-backed channels."""

    api_key: str | None = None
    custom_configs: dict[str, Any] | None = None


class DynamicRetrievalConfig(Wire, kw_only=True):
    """When to search: a `DynamicRetrievalMode`, with a threshold of 0 to 1."""

    mode: str | None = None
    dynamic_threshold: float | None = None


class GoogleSearchRetrieval(Wire, kw_only=True):
    """Google Search for Gemini 1.5; newer models use `GoogleSearch`."""

    dynamic_retrieval_config: DynamicRetrievalConfig | None = None


class StreamableHttpTransport(Wire, kw_only=True):
    """How the API reaches an MCP server; timeouts are strings such as "30s"."""

    url: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    timeout: str | None = None
    sse_read_timeout: str | None = None
    terminate_on_close: bool | None = None


class McpServer(Wire, kw_only=True):
    """An MCP (Model Context Protocol) server that the API calls itself."""

    name: str | None = None
    streamable_http_transport: StreamableHttpTransport | None = None


class UrlContext(Wire, kw_only=True):
    """Lets the model read pages whose URLs are in the prompt."""


class Tool(Wire, kw_only=True):
    """What the model may use; an empty struct enables a tool that has no options.

    The last four fields are for Vertex-backed channels.
    """

    function_declarations: list[FunctionDeclaration] = field(default_factory=list)
    google_search: GoogleSearch | None = None
    google_search_retrieval: GoogleSearchRetrieval | None = None
    google_maps: GoogleMaps | None = None
    url_context: UrlContext | None = None
    code_execution: CodeExecution | None = None
    computer_use: ComputerUse | None = None
    file_search: FileSearch | None = None
    mcp_servers: list[McpServer] = field(default_factory=list)
    enterprise_web_search: EnterpriseWebSearch | None = None
    retrieval: Retrieval | None = None
    parallel_ai_search: ParallelAiSearch | None = None
    exa_ai_search: ExaAiSearch | None = None


class FunctionCallingConfig(Wire, kw_only=True):
    """Whether the model may, must or must not call; `mode` is a `FunctionCallingMode`."""

    mode: str | None = None
    allowed_function_names: list[str] = field(default_factory=list)
    """For the modes ANY and VALIDATED; empty allows all."""
    stream_function_call_arguments: bool | None = None
    """True streams the arguments of calls in pieces; for Vertex-backed channels."""


class LatLng(Wire, kw_only=True):
    """A place on Earth, in degrees: latitude -90 to 90, longitude -180 to 180."""

    latitude: float | None = None
    longitude: float | None = None


class RetrievalConfig(Wire, kw_only=True):
    """Where the user is and what they speak (BCP 47), for search and maps."""

    lat_lng: LatLng | None = None
    language_code: str | None = None


class ToolConfig(Wire, kw_only=True):
    """How the tools may be used; applies to all of them."""

    function_calling_config: FunctionCallingConfig | None = None
    retrieval_config: RetrievalConfig | None = None
    include_server_side_tool_invocations: bool | None = None
