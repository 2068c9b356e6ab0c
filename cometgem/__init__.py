"""Stream from Gemini models through the CometAPI gateway: asyncio-first, typed, fast.

Start with ``Client``. ``cometgem.types`` has all structs of the API, ``cometgem.errors`` all
exceptions, and ``cometgem.testing`` a server to test against.
"""

from cometgem.client import Client
from cometgem.conversation.answers import Answers
from cometgem.conversation.chat import Chat
from cometgem.conversation.options import ConversationOptions
from cometgem.conversation.progress import ConversationState
from cometgem.conversation.round import Round
from cometgem.conversation.rounds import ConversationItem, ConversationStream
from cometgem.conversation.typed_rounds import TypedConversationStream
from cometgem.conversation.verdicts import Approve, Pause, Refuse, ToolFailed
from cometgem.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadMessagesError,
    BadRequestError,
    ClosedError,
    CometGemError,
    CometGemWarning,
    ConfigurationError,
    ContinuationUnsupportedError,
    EventTooLargeError,
    IncompleteAnswerError,
    NotFoundError,
    OutputValidationError,
    PermissionDeniedError,
    RateLimitError,
    ResponseDecodeError,
    RunError,
    ServerError,
    StreamError,
    StreamInterruptedError,
    StreamTruncatedError,
    ToolCallError,
    ToolError,
    ToolTimeoutError,
    TooManyRoundsError,
)
from cometgem.files import part_from_file
from cometgem.http.retry import RetryPolicy
from cometgem.http.timeouts import Timeouts
from cometgem.item_stream import ItemStream
from cometgem.options import GenerateOptions
from cometgem.request.contents import Contents
from cometgem.request.functions import FunctionTool, ToolLike
from cometgem.request.signatures import ForeignHistory, strip_signatures
from cometgem.request.thinking import Thinking
from cometgem.request.tool_context import ToolContext
from cometgem.response.typed import TypedResponse
from cometgem.stream import GenerateContentStream
from cometgem.typed_stream import TypedStream
from cometgem.types import (
    Blob,
    Candidate,
    Content,
    FinishReason,
    FunctionCall,
    FunctionDeclaration,
    FunctionResponse,
    GenerateContentResponse,
    GenerationConfig,
    Part,
    SafetySetting,
    Schema,
    ThinkingConfig,
    Tool,
    ToolConfig,
    UsageMetadata,
)
from cometgem.types.checkpoint import Checkpoint
from cometgem.types.citations import CitationStyle
from cometgem.types.media import Audio, Image
from cometgem.types.sources import Source, Span
from cometgem.types.usage import Usage
from cometgem.version import __version__

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "Answers",
    "Approve",
    "Audio",
    "AuthenticationError",
    "BadMessagesError",
    "BadRequestError",
    "Blob",
    "Candidate",
    "Chat",
    "Checkpoint",
    "CitationStyle",
    "Client",
    "ClosedError",
    "CometGemError",
    "CometGemWarning",
    "ConfigurationError",
    "Content",
    "Contents",
    "ContinuationUnsupportedError",
    "ConversationItem",
    "ConversationOptions",
    "ConversationState",
    "ConversationStream",
    "EventTooLargeError",
    "FinishReason",
    "ForeignHistory",
    "FunctionCall",
    "FunctionDeclaration",
    "FunctionResponse",
    "FunctionTool",
    "GenerateContentResponse",
    "GenerateContentStream",
    "GenerateOptions",
    "GenerationConfig",
    "Image",
    "IncompleteAnswerError",
    "ItemStream",
    "NotFoundError",
    "OutputValidationError",
    "Part",
    "Pause",
    "PermissionDeniedError",
    "RateLimitError",
    "Refuse",
    "ResponseDecodeError",
    "RetryPolicy",
    "Round",
    "RunError",
    "SafetySetting",
    "Schema",
    "ServerError",
    "Source",
    "Span",
    "StreamError",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "Thinking",
    "ThinkingConfig",
    "Timeouts",
    "TooManyRoundsError",
    "Tool",
    "ToolCallError",
    "ToolConfig",
    "ToolContext",
    "ToolError",
    "ToolFailed",
    "ToolLike",
    "ToolTimeoutError",
    "TypedConversationStream",
    "TypedResponse",
    "TypedStream",
    "Usage",
    "UsageMetadata",
    "__version__",
    "part_from_file",
    "strip_signatures",
]
