"""Enumerated values, for completion and against typing errors. No I/O; wire-faithful.

Fields that hold them are plain `str`, so `candidate.finish_reason == FinishReason.STOP` works
and a value newer than this library is no error. A member drops what its class already says
(`HarmCategory.HARASSMENT`); the "…_UNSPECIFIED" values are left out.
"""

from enum import StrEnum


class BlockReason(StrEnum):
    """Why a prompt got no answer; the last two come from Vertex-backed channels only."""

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
    """How free the model is to call functions."""

    AUTO = "AUTO"
    ANY = "ANY"
    NONE = "NONE"
    VALIDATED = "VALIDATED"


class HarmBlockThreshold(StrEnum):
    """From which probability on an answer is blocked; OFF also switches the rating off."""

    BLOCK_LOW_AND_ABOVE = "BLOCK_LOW_AND_ABOVE"
    BLOCK_MEDIUM_AND_ABOVE = "BLOCK_MEDIUM_AND_ABOVE"
    BLOCK_ONLY_HIGH = "BLOCK_ONLY_HIGH"
    BLOCK_NONE = "BLOCK_NONE"
    OFF = "OFF"


class HarmCategory(StrEnum):
    """What harm is rated; Gemini rates the first five, the rest is older models'."""

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
    """How likely content is harmful, not how bad it would be."""

    NEGLIGIBLE = "NEGLIGIBLE"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class MediaResolutionLevel(StrEnum):
    """How many tokens a picture or a video frame is worth; ULTRA_HIGH is for single parts only."""

    LOW = "MEDIA_RESOLUTION_LOW"
    MEDIUM = "MEDIA_RESOLUTION_MEDIUM"
    HIGH = "MEDIA_RESOLUTION_HIGH"
    ULTRA_HIGH = "MEDIA_RESOLUTION_ULTRA_HIGH"


class Modality(StrEnum):
    """A kind of content: what to answer in (TEXT, IMAGE, AUDIO), or what tokens were spent on."""

    TEXT = "TEXT"
    IMAGE = "IMAGE"
    AUDIO = "AUDIO"
    VIDEO = "VIDEO"
    DOCUMENT = "DOCUMENT"


class Outcome(StrEnum):
    """How code that the model wrote and ran came out."""

    OK = "OUTCOME_OK"
    FAILED = "OUTCOME_FAILED"
    DEADLINE_EXCEEDED = "OUTCOME_DEADLINE_EXCEEDED"


class SchemaType(StrEnum):
    """Type names of the OpenAPI subset: upper case, unlike JSON Schema's."""

    STRING = "STRING"
    NUMBER = "NUMBER"
    INTEGER = "INTEGER"
    BOOLEAN = "BOOLEAN"
    ARRAY = "ARRAY"
    OBJECT = "OBJECT"
    NULL = "NULL"


class ServiceTier(StrEnum):
    """Price and speed of a request. Lower case on the wire."""

    STANDARD = "standard"
    FLEX = "flex"
    PRIORITY = "priority"


class ThinkingLevel(StrEnum):
    """How much a Gemini 3 model may think; which levels exist depends on the model."""

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
    """What became of a page the model wanted to read."""

    SUCCESS = "URL_RETRIEVAL_STATUS_SUCCESS"
    ERROR = "URL_RETRIEVAL_STATUS_ERROR"
    PAYWALL = "URL_RETRIEVAL_STATUS_PAYWALL"
    UNSAFE = "URL_RETRIEVAL_STATUS_UNSAFE"
