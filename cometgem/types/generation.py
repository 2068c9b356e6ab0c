"""How the answer is to be made: sampling, thinking, format, voice. No I/O; wire-faithful."""

from typing import Any

from msgspec import field

from cometgem.types.tools import Schema
from cometgem.types.wire import Wire


class ThinkingConfig(Wire, kw_only=True):
    """How much to think: `thinking_level` for Gemini 3, `thinking_budget` for Gemini 2.5.

    The wrong one for a model, or both, can be an error.
    """

    include_thoughts: bool | None = None
    """True: summaries come as parts with `thought` set."""
    thinking_budget: int | None = None
    """Tokens; 0 is off, -1 leaves it to the model."""
    thinking_level: str | None = None


class ImageConfig(Wire, kw_only=True):
    """Shape ("16:9") and size ("512", "1K", "2K", "4K") of a picture to be made."""

    aspect_ratio: str | None = None
    image_size: str | None = None


class PrebuiltVoiceConfig(Wire, kw_only=True):
    """A voice by its name, such as "Kore"."""

    voice_name: str | None = None


class VoiceConfig(Wire, kw_only=True):
    """The voice to speak with."""

    prebuilt_voice_config: PrebuiltVoiceConfig | None = None


class SpeakerVoiceConfig(Wire, kw_only=True):
    """The voice of one speaker, named as in the prompt."""

    speaker: str
    voice_config: VoiceConfig


class MultiSpeakerVoiceConfig(Wire, kw_only=True):
    """Voices for a dialogue."""

    speaker_voice_configs: list[SpeakerVoiceConfig]


class SpeechConfig(Wire, kw_only=True):
    """One voice or several, not both; the language as in BCP 47."""

    voice_config: VoiceConfig | None = None
    multi_speaker_voice_config: MultiSpeakerVoiceConfig | None = None
    language_code: str | None = None


class TranslationConfig(Wire, kw_only=True):
    """Speech translation, into a language as in BCP 47."""

    target_language_code: str
    echo_target_language: bool | None = None
    """True: speech that is in the target language already is repeated, else left out."""


class TextResponseFormat(Wire, kw_only=True):
    """Text to be written: APPLICATION_JSON (with a JSON schema) or TEXT_PLAIN."""

    mime_type: str | None = None
    schema: Any = None


class ImageResponseFormat(Wire, kw_only=True):
    """A picture to be made, in enumerated values (ASPECT_RATIO_ONE_BY_ONE, IMAGE_SIZE_ONE_K)."""

    mime_type: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    delivery: str | None = None


class AudioResponseFormat(Wire, kw_only=True):
    """Sound to be made; `sample_rate` in hertz, `bit_rate` in bits per second."""

    mime_type: str | None = None
    sample_rate: int | None = None
    bit_rate: int | None = None
    delivery: str | None = None


class ResponseFormatConfig(Wire, kw_only=True):
    """The answer's format, for each modality on its own."""

    text: TextResponseFormat | None = None
    image: ImageResponseFormat | None = None
    audio: AudioResponseFormat | None = None


class GenerationConfig(Wire, kw_only=True):
    """How to generate; what is not set is the model's default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    """Tokens, thinking included."""
    stop_sequences: list[str] = field(default_factory=list)
    """Up to five; the answer ends before the first that appears."""
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    thinking_config: ThinkingConfig | None = None
    response_modalities: list[str] = field(default_factory=list)
    """`Modality` values; TEXT if none."""
    response_mime_type: str | None = None
    """`application/json` for JSON, then with one of the two schemas or none."""
    response_schema: Schema | None = None
    response_json_schema: Any = None
    _response_json_schema: Any = None  # the API lists both spellings
    response_format: ResponseFormatConfig | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    """How many alternatives per token; needs `response_logprobs`."""
    media_resolution: str | None = None
    image_config: ImageConfig | None = None
    speech_config: SpeechConfig | None = None
    translation_config: TranslationConfig | None = None
    enable_enhanced_civic_answers: bool | None = None
