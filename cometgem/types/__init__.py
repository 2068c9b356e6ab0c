"""Requests and responses as msgspec structs. No I/O; wire-faithful.

`cometgem.types.dicts` has the structs of a request as TypedDicts, for annotations.
"""

# Packed by hand: a hundred names on a line each would hide which of them belong together.
# fmt: off
from cometgem.types.content import (  # noqa: I001  packed
    AudioMetadata, Blob, CodeExecutionResult, Content, DocumentMetadata, ExecutableCode,
    FileData, FunctionCall, FunctionResponse, FunctionResponseBlob, FunctionResponseFileData,
    FunctionResponsePart, MediaResolution, Part, PartialArg, SpeechMetadata,
    SpreadsheetMetadata, ToolCall, ToolResponse, Transcription, VideoMetadata, WordInfo,
)
from cometgem.types.enums import (
    ApiSpec, AuthType, Behavior, BlockReason, DocumentContentLayer, DynamicRetrievalMode,
    Environment, FeatureSelectionPreference, FinishReason, FunctionCallingMode,
    HarmBlockMethod, HarmBlockThreshold, HarmCategory, HarmProbability, HarmSeverity,
    HttpElementLocation, Language, MediaProcessing, MediaResolutionLevel, Modality, ModelStage,
    Outcome, PhishBlockThreshold, ProminentPeople, SafetyPolicy, Scheduling, SchemaType,
    ServiceTier, SpreadsheetContentLayer, ThinkingLevel, ToolType, TrafficType,
    TranscriptionMode, UrlRetrievalStatus, VideoContentLayer,
)
from cometgem.types.generation import (
    AudioResponseFormat, AudioTranscriptionConfig, AutoRoutingMode, GenerationConfig,
    ImageConfig, ImageOutputOptions, ImageResponseFormat, LanguageAuto, LanguageHints,
    ManualRoutingMode, ModelSelectionConfig, MultiSpeakerVoiceConfig, PrebuiltVoiceConfig,
    ReplicatedVoiceConfig, ResponseFormatConfig, RoutingConfig, SpeakerVoiceConfig,
    SpeechConfig, TextResponseFormat, ThinkingConfig, TranslationConfig, VoiceConfig,
    VoiceConsentSignature,
)
from cometgem.types.grounding import (
    AttributionSourceId, AuthorAttribution, Citation, CitationMetadata, GroundingAttribution,
    GroundingChunk, GroundingChunkCustomMetadata, GroundingChunkImage, GroundingChunkMaps,
    GroundingChunkMapsRoute, GroundingChunkRetrievedContext, GroundingChunkStringList,
    GroundingChunkWeb, GroundingMetadata, GroundingPassageId, GroundingSupport,
    PlaceAnswerSources, PublicationDate, RagChunk, RagChunkPageSpan, RetrievalMetadata,
    ReviewSnippet, SearchEntryPoint, Segment, SemanticRetrieverChunk, SourceFlaggingUri,
    UrlContextMetadata, UrlMetadata,
)
from cometgem.types.request import (
    GenerateContentRequest, GenerationOutputConfig, ModelArmorConfig, SafetySetting,
)
from cometgem.types.response import (
    BillableUsage, Candidate, GenerateContentResponse, LogprobsResult, LogprobsResultCandidate,
    ModalityTokenCount, ModelStatus, PromptFeedback, SafetyRating, TopCandidates,
    UsageMetadata,
)
from cometgem.types.retrieval import (
    ApiAuth, ApiAuthKeyConfig, ApiKeyConfig, AuthConfig, DataStoreSpec, ElasticSearchParams,
    ExternalApi, HttpBasicAuthConfig, HybridSearch, LlmRanker, OauthConfig, OidcConfig,
    RagFilter, RagRanking, RagResource, RagRetrievalConfig, RankService, Retrieval,
    ServiceAccountConfig, SimpleSearchParams, VertexAISearch, VertexRagStore,
)
from cometgem.types.tools import (
    CodeExecution, ComputerUse, DynamicRetrievalConfig, EnterpriseWebSearch, ExaAiSearch,
    FileSearch, FunctionCallingConfig, FunctionDeclaration, GoogleMaps,
    GoogleMapsGroundingTypes, GoogleMapsPlaces, GoogleMapsRouting, GoogleSearch,
    GoogleSearchRetrieval, ImageSearch, Interval, LatLng, McpServer, ParallelAiSearch,
    RetrievalConfig, Schema, SearchTypes, StreamableHttpTransport, Tool, ToolConfig,
    UrlContext, WebSearch,
)
from cometgem.types.wire import (
    Wire,
)

__all__ = [
    "ApiAuth", "ApiAuthKeyConfig", "ApiKeyConfig", "ApiSpec", "AttributionSourceId",
    "AudioMetadata", "AudioResponseFormat", "AudioTranscriptionConfig", "AuthConfig",
    "AuthType", "AuthorAttribution", "AutoRoutingMode", "Behavior", "BillableUsage", "Blob",
    "BlockReason", "Candidate", "Citation", "CitationMetadata", "CodeExecution",
    "CodeExecutionResult", "ComputerUse", "Content", "DataStoreSpec", "DocumentContentLayer",
    "DocumentMetadata", "DynamicRetrievalConfig", "DynamicRetrievalMode",
    "ElasticSearchParams", "EnterpriseWebSearch", "Environment", "ExaAiSearch",
    "ExecutableCode", "ExternalApi", "FeatureSelectionPreference", "FileData", "FileSearch",
    "FinishReason", "FunctionCall", "FunctionCallingConfig", "FunctionCallingMode",
    "FunctionDeclaration", "FunctionResponse", "FunctionResponseBlob",
    "FunctionResponseFileData", "FunctionResponsePart", "GenerateContentRequest",
    "GenerateContentResponse", "GenerationConfig", "GenerationOutputConfig", "GoogleMaps",
    "GoogleMapsGroundingTypes", "GoogleMapsPlaces", "GoogleMapsRouting", "GoogleSearch",
    "GoogleSearchRetrieval", "GroundingAttribution", "GroundingChunk",
    "GroundingChunkCustomMetadata", "GroundingChunkImage", "GroundingChunkMaps",
    "GroundingChunkMapsRoute", "GroundingChunkRetrievedContext", "GroundingChunkStringList",
    "GroundingChunkWeb", "GroundingMetadata", "GroundingPassageId", "GroundingSupport",
    "HarmBlockMethod", "HarmBlockThreshold", "HarmCategory", "HarmProbability", "HarmSeverity",
    "HttpBasicAuthConfig", "HttpElementLocation", "HybridSearch", "ImageConfig",
    "ImageOutputOptions", "ImageResponseFormat", "ImageSearch", "Interval", "Language",
    "LanguageAuto", "LanguageHints", "LatLng", "LlmRanker", "LogprobsResult",
    "LogprobsResultCandidate", "ManualRoutingMode", "McpServer", "MediaProcessing",
    "MediaResolution", "MediaResolutionLevel", "Modality", "ModalityTokenCount",
    "ModelArmorConfig", "ModelSelectionConfig", "ModelStage", "ModelStatus",
    "MultiSpeakerVoiceConfig", "OauthConfig", "OidcConfig", "Outcome", "ParallelAiSearch",
    "Part", "PartialArg", "PhishBlockThreshold", "PlaceAnswerSources", "PrebuiltVoiceConfig",
    "ProminentPeople", "PromptFeedback", "PublicationDate", "RagChunk", "RagChunkPageSpan",
    "RagFilter", "RagRanking", "RagResource", "RagRetrievalConfig", "RankService",
    "ReplicatedVoiceConfig", "ResponseFormatConfig", "Retrieval", "RetrievalConfig",
    "RetrievalMetadata", "ReviewSnippet", "RoutingConfig", "SafetyPolicy", "SafetyRating",
    "SafetySetting", "Scheduling", "Schema", "SchemaType", "SearchEntryPoint", "SearchTypes",
    "Segment", "SemanticRetrieverChunk", "ServiceAccountConfig", "ServiceTier",
    "SimpleSearchParams", "SourceFlaggingUri", "SpeakerVoiceConfig", "SpeechConfig",
    "SpeechMetadata", "SpreadsheetContentLayer", "SpreadsheetMetadata",
    "StreamableHttpTransport", "TextResponseFormat", "ThinkingConfig", "ThinkingLevel", "Tool",
    "ToolCall", "ToolConfig", "ToolResponse", "ToolType", "TopCandidates", "TrafficType",
    "Transcription", "TranscriptionMode", "TranslationConfig", "UrlContext",
    "UrlContextMetadata", "UrlMetadata", "UrlRetrievalStatus", "UsageMetadata",
    "VertexAISearch", "VertexRagStore", "VideoContentLayer", "VideoMetadata", "VoiceConfig",
    "VoiceConsentSignature", "WebSearch", "Wire", "WordInfo",
]
# fmt: on
