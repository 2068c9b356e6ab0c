"""Requests and responses as msgspec structs. No I/O; wire-faithful.

`cometgem.types.dicts` has the structs of a request as TypedDicts, for annotations.
"""

# Packed by hand: a hundred names on a line each would hide which of them belong together.
# fmt: off
from cometgem.types.content import (  # noqa: I001  packed
    Blob, CodeExecutionResult, Content, ExecutableCode, FileData, FunctionCall,
    FunctionResponse, FunctionResponseBlob, FunctionResponsePart, MediaResolution, Part,
    PartialArg, ToolCall, ToolResponse, VideoMetadata,
)
from cometgem.types.enums import (
    BlockReason, FinishReason, FunctionCallingMode, HarmBlockThreshold, HarmCategory,
    HarmProbability, MediaResolutionLevel, Modality, Outcome, SchemaType, ServiceTier,
    ThinkingLevel, ToolType, UrlRetrievalStatus,
)
from cometgem.types.generation import (
    AudioResponseFormat, GenerationConfig, ImageConfig, ImageResponseFormat,
    MultiSpeakerVoiceConfig, PrebuiltVoiceConfig, ResponseFormatConfig, SpeakerVoiceConfig,
    SpeechConfig, TextResponseFormat, ThinkingConfig, TranslationConfig, VoiceConfig,
)
from cometgem.types.grounding import (
    AttributionSourceId, Citation, CitationMetadata, GroundingAttribution, GroundingChunk,
    GroundingChunkCustomMetadata, GroundingChunkImage, GroundingChunkMaps,
    GroundingChunkMapsRoute, GroundingChunkRetrievedContext, GroundingChunkStringList,
    GroundingChunkWeb, GroundingMetadata, GroundingPassageId, GroundingSupport,
    PlaceAnswerSources, PublicationDate, RetrievalMetadata, ReviewSnippet, SearchEntryPoint,
    Segment, SemanticRetrieverChunk, SourceFlaggingUri, UrlContextMetadata, UrlMetadata,
)
from cometgem.types.request import (
    GenerateContentRequest, SafetySetting,
)
from cometgem.types.response import (
    Candidate, GenerateContentResponse, LogprobsResult, LogprobsResultCandidate,
    ModalityTokenCount, ModelStatus, PromptFeedback, SafetyRating, TopCandidates, UsageMetadata,
)
from cometgem.types.tools import (
    CodeExecution, ComputerUse, DynamicRetrievalConfig, FileSearch, FunctionCallingConfig,
    FunctionDeclaration, GoogleMaps, GoogleSearch, GoogleSearchRetrieval, ImageSearch, Interval,
    LatLng, McpServer, RetrievalConfig, Schema, SearchTypes, StreamableHttpTransport, Tool,
    ToolConfig, UrlContext, WebSearch,
)
from cometgem.types.wire import (
    Wire,
)

__all__ = [
    "AttributionSourceId", "AudioResponseFormat", "Blob", "BlockReason", "Candidate",
    "Citation", "CitationMetadata", "CodeExecution", "CodeExecutionResult", "ComputerUse",
    "Content", "DynamicRetrievalConfig", "ExecutableCode", "FileData", "FileSearch",
    "FinishReason", "FunctionCall", "FunctionCallingConfig", "FunctionCallingMode",
    "FunctionDeclaration", "FunctionResponse", "FunctionResponseBlob", "FunctionResponsePart",
    "GenerateContentRequest", "GenerateContentResponse", "GenerationConfig", "GoogleMaps",
    "GoogleSearch", "GoogleSearchRetrieval", "GroundingAttribution", "GroundingChunk",
    "GroundingChunkCustomMetadata", "GroundingChunkImage", "GroundingChunkMaps",
    "GroundingChunkMapsRoute", "GroundingChunkRetrievedContext", "GroundingChunkStringList",
    "GroundingChunkWeb", "GroundingMetadata", "GroundingPassageId", "GroundingSupport",
    "HarmBlockThreshold", "HarmCategory", "HarmProbability", "ImageConfig",
    "ImageResponseFormat", "ImageSearch", "Interval", "LatLng", "LogprobsResult",
    "LogprobsResultCandidate", "McpServer", "MediaResolution", "MediaResolutionLevel",
    "Modality", "ModalityTokenCount", "ModelStatus", "MultiSpeakerVoiceConfig", "Outcome",
    "Part", "PartialArg", "PlaceAnswerSources", "PrebuiltVoiceConfig", "PromptFeedback",
    "PublicationDate", "ResponseFormatConfig", "RetrievalConfig", "RetrievalMetadata",
    "ReviewSnippet", "SafetyRating", "SafetySetting", "Schema", "SchemaType",
    "SearchEntryPoint", "SearchTypes", "Segment", "SemanticRetrieverChunk", "ServiceTier",
    "SourceFlaggingUri", "SpeakerVoiceConfig", "SpeechConfig", "StreamableHttpTransport",
    "TextResponseFormat", "ThinkingConfig", "ThinkingLevel", "Tool", "ToolCall", "ToolConfig",
    "ToolResponse", "ToolType", "TopCandidates", "TranslationConfig", "UrlContext",
    "UrlContextMetadata", "UrlMetadata", "UrlRetrievalStatus", "UsageMetadata", "VideoMetadata",
    "VoiceConfig", "WebSearch", "Wire",
]
# fmt: on
