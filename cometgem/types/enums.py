"""Enumerated values, for auto-completion and to avoid typos. No I/O; wire-faithful.

Fields that hold them are plain `str`, so `candidate.finish_reason == FinishReason.STOP` works
and a value newer than this library is not an error. Member names drop the prefix that repeats
the class (`HarmCategory.HARASSMENT`); the "…_UNSPECIFIED" values are left out.
"""

from enum import StrEnum


class ApiSpec(StrEnum):
    """The kind of a search API that Vertex-backed channels call."""

    SIMPLE_SEARCH = "SIMPLE_SEARCH"
    ELASTIC_SEARCH = "ELASTIC_SEARCH"


class AuthType(StrEnum):
    """How the API authenticates to a service that it calls."""

    NO_AUTH = "NO_AUTH"
    API_KEY_AUTH = "API_KEY_AUTH"
    HTTP_BASIC_AUTH = "HTTP_BASIC_AUTH"
    GOOGLE_SERVICE_ACCOUNT_AUTH = "GOOGLE_SERVICE_ACCOUNT_AUTH"
    OAUTH = "OAUTH"
    OIDC_AUTH = "OIDC_AUTH"


class Behavior(StrEnum):
    """Whether the model waits for a function's result."""

    BLOCKING = "BLOCKING"
    NON_BLOCKING = "NON_BLOCKING"


class BlockReason(StrEnum):
    """Why a prompt was blocked; the last two come from Vertex-backed channels only."""

    SAFETY = "SAFETY"
    OTHER = "OTHER"
    BLOCKLIST = "BLOCKLIST"
    PROHIBITED_CONTENT = "PROHIBITED_CONTENT"
    IMAGE_SAFETY = "IMAGE_SAFETY"
    JAILBREAK = "JAILBREAK"
    MODEL_ARMOR = "MODEL_ARMOR"


class DocumentContentLayer(StrEnum):
    """What of a document the model sees."""

    PAGE_IMAGE = "PAGE_IMAGE"
    PAGE_TEXT = "PAGE_TEXT"


class DynamicRetrievalMode(StrEnum):
    """DYNAMIC lets the model decide whether to search."""

    DYNAMIC = "MODE_DYNAMIC"


class Environment(StrEnum):
    """The kind of screen that the model operates."""

    BROWSER = "ENVIRONMENT_BROWSER"
    MOBILE = "ENVIRONMENT_MOBILE"
    DESKTOP = "ENVIRONMENT_DESKTOP"


class FeatureSelectionPreference(StrEnum):
    """What matters in the choice of a model."""

    PRIORITIZE_QUALITY = "PRIORITIZE_QUALITY"
    BALANCED = "BALANCED"
    PRIORITIZE_COST = "PRIORITIZE_COST"


class FinishReason(StrEnum):
    """Why a candidate ended; CONTINUATION if the answer goes on in another request.

    PUP_LIMITED_DISABLED and MODEL_ARMOR come from Vertex-backed channels only.
    """

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
    PUP_LIMITED_DISABLED = "PUP_LIMITED_DISABLED"
    CONTINUATION = "CONTINUATION"
    MODEL_ARMOR = "MODEL_ARMOR"


class FunctionCallingMode(StrEnum):
    """Whether the model may, must or must not call functions."""

    AUTO = "AUTO"
    ANY = "ANY"
    NONE = "NONE"
    VALIDATED = "VALIDATED"


class HarmBlockMethod(StrEnum):
    """What a threshold applies to; for Vertex-backed channels."""

    SEVERITY = "SEVERITY"
    PROBABILITY = "PROBABILITY"


class HarmBlockThreshold(StrEnum):
    """The probability from which content is blocked; OFF also turns off the rating."""

    BLOCK_LOW_AND_ABOVE = "BLOCK_LOW_AND_ABOVE"
    BLOCK_MEDIUM_AND_ABOVE = "BLOCK_MEDIUM_AND_ABOVE"
    BLOCK_ONLY_HIGH = "BLOCK_ONLY_HIGH"
    BLOCK_NONE = "BLOCK_NONE"
    OFF = "OFF"


class HarmCategory(StrEnum):
    """A category of harm; Gemini rates the first five.

    The last five belong to Vertex-backed channels, the others to older models.
    """

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
    JAILBREAK = "HARM_CATEGORY_JAILBREAK"
    IMAGE_HATE = "HARM_CATEGORY_IMAGE_HATE"
    IMAGE_DANGEROUS_CONTENT = "HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT"
    IMAGE_HARASSMENT = "HARM_CATEGORY_IMAGE_HARASSMENT"
    IMAGE_SEXUALLY_EXPLICIT = "HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT"


class HarmProbability(StrEnum):
    """How likely content is to be harmful, not how severe the harm would be."""

    NEGLIGIBLE = "NEGLIGIBLE"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class HarmSeverity(StrEnum):
    """How severe the harm would be; from Vertex-backed channels."""

    NEGLIGIBLE = "HARM_SEVERITY_NEGLIGIBLE"
    LOW = "HARM_SEVERITY_LOW"
    MEDIUM = "HARM_SEVERITY_MEDIUM"
    HIGH = "HARM_SEVERITY_HIGH"


class HttpElementLocation(StrEnum):
    """Where an API key goes in a request."""

    QUERY = "HTTP_IN_QUERY"
    HEADER = "HTTP_IN_HEADER"
    PATH = "HTTP_IN_PATH"
    BODY = "HTTP_IN_BODY"
    COOKIE = "HTTP_IN_COOKIE"


class Language(StrEnum):
    """The language of code that the model wrote."""

    PYTHON = "PYTHON"


class MediaProcessing(StrEnum):
    """How media is read: as a whole, or by the model as it needs it."""

    STATIC = "STATIC"
    AGENTIC = "AGENTIC"


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


class ModelStage(StrEnum):
    """How far a model is in its life."""

    UNSTABLE_EXPERIMENTAL = "UNSTABLE_EXPERIMENTAL"
    EXPERIMENTAL = "EXPERIMENTAL"
    PREVIEW = "PREVIEW"
    STABLE = "STABLE"
    LEGACY = "LEGACY"
    DEPRECATED = "DEPRECATED"
    RETIRED = "RETIRED"


class Outcome(StrEnum):
    """How running the model's code ended."""

    OK = "OUTCOME_OK"
    FAILED = "OUTCOME_FAILED"
    DEADLINE_EXCEEDED = "OUTCOME_DEADLINE_EXCEEDED"


class PhishBlockThreshold(StrEnum):
    """The confidence from which pages that look like phishing are left out of a search."""

    BLOCK_LOW_AND_ABOVE = "BLOCK_LOW_AND_ABOVE"
    BLOCK_MEDIUM_AND_ABOVE = "BLOCK_MEDIUM_AND_ABOVE"
    BLOCK_HIGH_AND_ABOVE = "BLOCK_HIGH_AND_ABOVE"
    BLOCK_HIGHER_AND_ABOVE = "BLOCK_HIGHER_AND_ABOVE"
    BLOCK_VERY_HIGH_AND_ABOVE = "BLOCK_VERY_HIGH_AND_ABOVE"
    BLOCK_ONLY_EXTREMELY_HIGH = "BLOCK_ONLY_EXTREMELY_HIGH"


class ProminentPeople(StrEnum):
    """Whether images may show well-known people."""

    ALLOW = "ALLOW_PROMINENT_PEOPLE"
    BLOCK = "BLOCK_PROMINENT_PEOPLE"


class SafetyPolicy(StrEnum):
    """What the model must ask about before it does it on a screen."""

    FINANCIAL_TRANSACTIONS = "FINANCIAL_TRANSACTIONS"
    SENSITIVE_DATA_MODIFICATION = "SENSITIVE_DATA_MODIFICATION"
    COMMUNICATION_TOOL = "COMMUNICATION_TOOL"
    ACCOUNT_CREATION = "ACCOUNT_CREATION"
    DATA_MODIFICATION = "DATA_MODIFICATION"
    USER_CONSENT_MANAGEMENT = "USER_CONSENT_MANAGEMENT"
    LEGAL_TERMS_AND_AGREEMENTS = "LEGAL_TERMS_AND_AGREEMENTS"


class Scheduling(StrEnum):
    """When the model takes up the result of a NON_BLOCKING function."""

    SILENT = "SILENT"
    WHEN_IDLE = "WHEN_IDLE"
    INTERRUPT = "INTERRUPT"


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


class SpreadsheetContentLayer(StrEnum):
    """What of a spreadsheet the model sees."""

    DATA = "DATA"
    FORMULAS = "FORMULAS"
    VISUAL = "VISUAL"


class ThinkingLevel(StrEnum):
    """How much a model may think, from Gemini 3 on; the levels available depend on the model."""

    MINIMAL = "MINIMAL"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    XHIGH = "XHIGH"


class ToolType(StrEnum):
    """A tool that runs on the server."""

    GOOGLE_SEARCH_WEB = "GOOGLE_SEARCH_WEB"
    GOOGLE_SEARCH_IMAGE = "GOOGLE_SEARCH_IMAGE"
    URL_CONTEXT = "URL_CONTEXT"
    GOOGLE_MAPS = "GOOGLE_MAPS"
    FILE_SEARCH = "FILE_SEARCH"
    MEDIA_PROCESSING = "MEDIA_PROCESSING"


class TrafficType(StrEnum):
    """How the tokens are billed; from Vertex-backed channels."""

    ON_DEMAND = "ON_DEMAND"
    ON_DEMAND_PRIORITY = "ON_DEMAND_PRIORITY"
    ON_DEMAND_FLEX = "ON_DEMAND_FLEX"
    ON_DEMAND_OFFPEAK = "ON_DEMAND_OFFPEAK"
    PROVISIONED_THROUGHPUT = "PROVISIONED_THROUGHPUT"


class TranscriptionMode(StrEnum):
    """Whether speech is transcribed word by word, or tidied up."""

    VERBATIM = "VERBATIM"
    SMART = "SMART"


class UrlRetrievalStatus(StrEnum):
    """The result of fetching a page for the model."""

    SUCCESS = "URL_RETRIEVAL_STATUS_SUCCESS"
    ERROR = "URL_RETRIEVAL_STATUS_ERROR"
    PAYWALL = "URL_RETRIEVAL_STATUS_PAYWALL"
    UNSAFE = "URL_RETRIEVAL_STATUS_UNSAFE"


class VideoContentLayer(StrEnum):
    """What of a video the model sees and hears."""

    FRAMES = "FRAMES"
    AUDIO = "AUDIO"
    TRANSCRIPT = "TRANSCRIPT"
