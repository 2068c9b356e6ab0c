"""Stream from Gemini models through the CometAPI gateway: asyncio-first, typed, fast.

See ``Client`` to begin with, ``cometgem.types`` for all structs of the API, ``cometgem.errors``
for what can go wrong and ``cometgem.testing`` for a server to test against.
"""

from cometgem.chat import Chat
from cometgem.client import Client
from cometgem.conversation import ConversationItem, ConversationStream
from cometgem.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    CometGemError,
    CometGemWarning,
    ConfigurationError,
    EventTooLargeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    StreamError,
    StreamInterruptedError,
    StreamTruncatedError,
    ToolArgumentsError,
    ToolError,
    ToolTimeoutError,
    TooManyRoundsError,
    UnfinishedCallError,
    UnknownToolError,
)
from cometgem.protocol.functions import FunctionTool
from cometgem.protocol.request import GenerateOptions
from cometgem.protocol.retry import RetryPolicy
from cometgem.protocol.timeouts import Timeouts
from cometgem.stream import GenerateContentStream
from cometgem.tools import ToolOptions
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
from cometgem.version import __version__

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "Blob",
    "Candidate",
    "Chat",
    "Client",
    "ClientClosedError",
    "CometGemError",
    "CometGemWarning",
    "ConfigurationError",
    "Content",
    "ConversationItem",
    "ConversationStream",
    "EventTooLargeError",
    "FinishReason",
    "FunctionCall",
    "FunctionDeclaration",
    "FunctionResponse",
    "FunctionTool",
    "GenerateContentResponse",
    "GenerateContentStream",
    "GenerateOptions",
    "GenerationConfig",
    "NotFoundError",
    "Part",
    "PermissionDeniedError",
    "RateLimitError",
    "ResponseDecodeError",
    "RetryPolicy",
    "SafetySetting",
    "Schema",
    "ServerError",
    "StreamError",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "ThinkingConfig",
    "Timeouts",
    "TooManyRoundsError",
    "Tool",
    "ToolArgumentsError",
    "ToolConfig",
    "ToolError",
    "ToolOptions",
    "ToolTimeoutError",
    "UnfinishedCallError",
    "UnknownToolError",
    "UsageMetadata",
    "__version__",
]
