"""Enumerated values, for auto-completion and to avoid typos. No I/O; wire-faithful.

Fields that hold them are plain `str`, so `candidate.finish_reason == FinishReason.STOP` works
and a value newer than this library is not an error. Member names drop the prefix that repeats
the class (`HarmCategory.HARASSMENT`); the "…_UNSPECIFIED" values are left out.
"""

from enum import StrEnum


class BlockReason(StrEnum):
    """Why a prompt was blocked; the last two come from Vertex-backed channels only."""

    SAFETY = "SAFETY"
    OTHER = "OTHER"
    BLOCKLIST = "BLOCKLIST"
    PROHIBITED_CONTENT = "PROHIBITED_CONTENT"
    IMAGE_SAFETY = "IMAGE_SAFETY"
    JAILBREAK = "JAILBREAK"
    MODEL_ARMOR = "MODEL_ARMOR"


class FinishReason(StrEnum):
    """Why a candidate ended; the last two come from Vertex-backed channels only."""

    STOP = "STOP"
    MAX_TOKENS = "MAX_TOKENS"
    SAFETY = "SAFETY"
    RECITATION = "RECITATION"
    LANGUAGE = "LANGUAGE"
    OTHER = "OTHER"
    BLOCKLIST = "BLOCKLIST"
    PROHIBITED_CONTENT = "PROHIBITED_CONTENT"
    SPII = "SPII"
    MALFORMED_FUNCTION_CALL = "MALFORMED_FUNCTION_CALL"
    IMAGE_SAFETY = "IMAGE_SAFETY"
    IMAGE_PROHIBITED_CONTENT = "IMAGE_PROHIBITED_CONTENT"
    IMAGE_OTHER = "IMAGE_OTHER"
    NO_IMAGE = "NO_IMAGE"
    IMAGE_RECITATION = "IMAGE_RECITATION"
    UNEXPECTED_TOOL_CALL = "UNEXPECTED_TOOL_CALL"
    TOO_MANY_TOOL_CALLS = "TOO_MANY_TOOL_CALLS"
    MISSING_THOUGHT_SIGNATURE = "MISSING_THOUGHT_SIGNATURE"
    MALFORMED_RESPONSE = "MALFORMED_RESPONSE"
    ESCALATION = "ESCALATION"
    CONTINUATION = "CONTINUATION"
    MODEL_ARMOR = "MODEL_ARMOR"


class FunctionCallingMode(StrEnum):
    """Whether the model may, must or must not call functions."""

    AUTO = "AUTO"
    ANY = "ANY"
    NONE = "NONE"
    VALIDATED = "VALIDATED"


class HarmBlockThreshold(StrEnum):
    """The probability from which content is blocked; OFF also turns off the rating."""

    BLOCK_LOW_AND_ABOVE = "BLOCK_LOW_AND_ABOVE"
    BLOCK_MEDIUM_AND_ABOVE = "BLOCK_MEDIUM_AND_ABOVE"
    BLOCK_ONLY_HIGH = "BLOCK_ONLY_HIGH"
    BLOCK_NONE = "BLOCK_NONE"
    OFF = "OFF"


class HarmCategory(StrEnum):
    """A category of harm; Gemini rates the first five, the others belong to older models."""

    HARASSMENT = "HARM_CATEGORY_HARASSMENT"
    HATE_SPEECH = "HARM_CATEGORY_HATE_SPEECH"
    SEXUALLY_EXPLICIT = "HARM_CATEGORY_SEXUALLY_EXPLICIT"
    DANGEROUS_CONTENT = "HARM_CATEGORY_DANGEROUS_CONTENT"
    CIVIC_INTEGRITY = "HARM_CATEGORY_CIVIC_INTEGRITY"
    DEROGATORY = "HARM_CATEGORY_DEROGATORY"
    TOXICITY = "HARM_CATEGORY_TOXICITY"
    VIOLENCE = "HARM_CATEGORY_VIOLENCE"
    SEXUAL = "HARM_CATEGORY_SEXUAL"
    MEDICAL = "HARM_CATEGORY_MEDICAL"
    DANGEROUS = "HARM_CATEGORY_DANGEROUS"


class HarmProbability(StrEnum):
    """How likely content is to be harmful, not how severe the harm would be."""

    NEGLIGIBLE = "NEGLIGIBLE"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class MediaResolutionLevel(StrEnum):
    """How many tokens an image or a video frame takes; ULTRA_HIGH is for single parts only."""

    LOW = "MEDIA_RESOLUTION_LOW"
    MEDIUM = "MEDIA_RESOLUTION_MEDIUM"
    HIGH = "MEDIA_RESOLUTION_HIGH"
    ULTRA_HIGH = "MEDIA_RESOLUTION_ULTRA_HIGH"


class Modality(StrEnum):
    """A kind of content: of the answer (TEXT, IMAGE, AUDIO), or of the tokens counted."""

    TEXT = "TEXT"
    IMAGE = "IMAGE"
    AUDIO = "AUDIO"
    VIDEO = "VIDEO"
    DOCUMENT = "DOCUMENT"


class Outcome(StrEnum):
    """How running the model's code ended."""

    OK = "OUTCOME_OK"
    FAILED = "OUTCOME_FAILED"
    DEADLINE_EXCEEDED = "OUTCOME_DEADLINE_EXCEEDED"


class SchemaType(StrEnum):
    """Type names of the OpenAPI subset: upper case, unlike those of JSON Schema."""

    STRING = "STRING"
    NUMBER = "NUMBER"
    INTEGER = "INTEGER"
    BOOLEAN = "BOOLEAN"
    ARRAY = "ARRAY"
    OBJECT = "OBJECT"
    NULL = "NULL"


class ServiceTier(StrEnum):
    """Price and speed of a request; lower case on the wire."""

    STANDARD = "standard"
    FLEX = "flex"
    PRIORITY = "priority"


class ThinkingLevel(StrEnum):
    """How much a Gemini 3 model may think; the levels available depend on the model."""

    MINIMAL = "MINIMAL"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class ToolType(StrEnum):
    """A tool that runs on the server."""

    GOOGLE_SEARCH_WEB = "GOOGLE_SEARCH_WEB"
    GOOGLE_SEARCH_IMAGE = "GOOGLE_SEARCH_IMAGE"
    URL_CONTEXT = "URL_CONTEXT"
    GOOGLE_MAPS = "GOOGLE_MAPS"
    FILE_SEARCH = "FILE_SEARCH"


class UrlRetrievalStatus(StrEnum):
    """The result of fetching a page for the model."""

    SUCCESS = "URL_RETRIEVAL_STATUS_SUCCESS"
    ERROR = "URL_RETRIEVAL_STATUS_ERROR"
    PAYWALL = "URL_RETRIEVAL_STATUS_PAYWALL"
    UNSAFE = "URL_RETRIEVAL_STATUS_UNSAFE"
