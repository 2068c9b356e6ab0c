"""What gateways do to a request on its way to the model. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cometgem.testing.bodies import JSONObject

__all__ = ["GATEWAYS", "Gateway", "passed_on"]

Gateway: TypeAlias = Literal["new-api"]

# How a field is passed on: unchanged, with sorted keys, or as an object or a list of objects of
# which only these fields pass.
_Rule: TypeAlias = "Literal['as it is', 'sorted'] | Mapping[str, _Rule]"

_RAW: _Rule = "as it is"
_SORTED: _Rule = "sorted"


def _fields(*names: str) -> dict[str, _Rule]:
    return dict.fromkeys(names, _RAW)


# Read in new-api's source, dto/gemini.go, in September 2026: it decodes a request into structs of
# these fields and encodes them again. A JSON value of unknown shape is kept byte for byte, or
# decoded into a Go map, whose keys are written in order.
_BLOB = _fields("mimeType", "mime_type", "data")
_PART: dict[str, _Rule] = {
    **_fields("text", "thought", "thoughtSignature", "mediaResolution", "videoMetadata"),
    "inlineData": _BLOB,
    "inline_data": _BLOB,
    "fileData": _fields("mimeType", "fileUri"),
    "functionCall": {"name": _RAW, "args": _SORTED},
    "functionResponse": {
        "name": _RAW,
        "response": _SORTED,
        **_fields("willContinue", "scheduling", "parts", "id"),
    },
    "executableCode": _fields("language", "code"),
    "codeExecutionResult": _fields("outcome", "output"),
}
_CONTENT: dict[str, _Rule] = {"role": _RAW, "parts": _PART}
_THINKING = _fields(
    *("includeThoughts", "thinkingBudget", "thinkingLevel"),
    *("include_thoughts", "thinking_budget", "thinking_level"),
)
_CONFIG: dict[str, _Rule] = {
    **_fields("temperature", "topP", "topK", "maxOutputTokens", "candidateCount", "stopSequences"),
    **_fields("responseMimeType", "responseJsonSchema", "presencePenalty", "frequencyPenalty"),
    **_fields("responseLogprobs", "logprobs", "enableEnhancedCivicAnswers", "mediaResolution"),
    **_fields("seed", "responseModalities", "speechConfig", "imageConfig"),
    **_fields("top_p", "top_k", "max_output_tokens", "candidate_count", "stop_sequences"),
    **_fields("response_mime_type", "response_json_schema", "presence_penalty"),
    **_fields("frequency_penalty", "response_logprobs", "enable_enhanced_civic_answers"),
    **_fields("media_resolution", "response_modalities", "speech_config", "image_config"),
    "responseSchema": _SORTED,
    "response_schema": _SORTED,
    "thinkingConfig": _THINKING,
    "thinking_config": _THINKING,
}
_REQUEST: dict[str, _Rule] = {
    **_fields("tools", "cachedContent"),
    "contents": _CONTENT,
    "systemInstruction": _CONTENT,
    "system_instruction": _CONTENT,
    "safetySettings": _fields("category", "threshold"),
    "generationConfig": _CONFIG,
    "toolConfig": {
        "functionCallingConfig": _fields("mode", "allowedFunctionNames"),
        "retrievalConfig": {
            "latLng": _fields("latitude", "longitude"),
            "languageCode": _RAW,
        },
        "includeServerSideToolInvocations": _RAW,
    },
}


def _new_api(body: JSONObject) -> JSONObject:
    passed: JSONObject = _filtered(body, _REQUEST)
    return passed


GATEWAYS: dict[str, Callable[[JSONObject], JSONObject]] = {"new-api": _new_api}


def passed_on(gateway: Gateway, body: Any) -> Any:
    """Return what a gateway passes on of a request; anything but an object is unchanged."""
    return GATEWAYS[gateway](body) if isinstance(body, dict) else body


def _filtered(value: Any, rule: _Rule) -> Any:
    if rule == _SORTED:
        return _in_order(value)
    if isinstance(rule, str):
        return value
    if isinstance(value, list):
        return [_filtered(one, rule) for one in value]
    if not isinstance(value, dict):
        return value
    # Go's structs write their fields in the order of the struct, under the camelCase name.
    passed: JSONObject = {}
    for name, inner in rule.items():
        if name in value:
            kept = _filtered(value[name], inner)
            # `omitempty` leaves out empty strings, but not an empty data or name.
            if kept is not None and (kept != "" or name in {"data", "name"}):
                passed[_camel(name)] = kept
    return passed


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_in_order(one) for one in value]
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
