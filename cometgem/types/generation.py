"""How to generate: sampling, thinking, format, voice. No I/O; wire-faithful."""

from typing import Any

from msgspec import field

from cometgem.types.tools import Schema
from cometgem.types.wire import Wire


class ThinkingConfig(Wire, kw_only=True):
    """How much to think: `thinking_level` for Gemini 3, `thinking_budget` for Gemini 2.5.

    Setting both, or the one that the model does not support, can be an error.
    """

    include_thoughts: bool | None = None
    """True returns summaries of the thinking, as parts with `thought` set."""
    thinking_budget: int | None = None
    """In tokens; 0 turns thinking off, -1 leaves it to the model."""
    thinking_level: str | None = None


class ImageOutputOptions(Wire, kw_only=True):
    """The file format of generated images; the quality is that of JPEG, 0 to 100."""

    mime_type: str | None = None
    compression_quality: int | None = None


class ImageConfig(Wire, kw_only=True):
    """Aspect ratio ("16:9") and size ("512", "1K", "2K", "4K") of generated images.

    The other fields are for Vertex-backed channels.
    """

    aspect_ratio: str | None = None
    image_size: str | None = None
    person_generation: str | None = None
    """ALLOW_ALL, ALLOW_ADULT or ALLOW_NONE."""
    prominent_people: str | None = None
    """A `ProminentPeople`."""
    image_output_options: ImageOutputOptions | None = None
    output_mime_type: str | None = None  # google-genai's names for the options above
    output_compression_quality: int | None = None


class VoiceConsentSignature(Wire, kw_only=True):
    """The proof, issued by the API, that a speaker agreed to the use of their voice."""

    signature: str | None = None


class ReplicatedVoiceConfig(Wire, kw_only=True):
    """A voice made from a recording, with the speaker's recorded or signed consent."""

    mime_type: str | None = None
    voice_sample_audio: bytes | None = None
    consent_audio: bytes | None = None
    voice_consent_signature: VoiceConsentSignature | None = None


class PrebuiltVoiceConfig(Wire, kw_only=True):
    """A named voice, such as "Kore"."""

    voice_name: str | None = None


class VoiceConfig(Wire, kw_only=True):
    """The voice to speak with: one of the three fields."""

    prebuilt_voice_config: PrebuiltVoiceConfig | None = None
    replicated_voice_config: ReplicatedVoiceConfig | None = None
    voice: str | None = None


class SpeakerVoiceConfig(Wire, kw_only=True):
    """The voice of one speaker, who is named as in the prompt."""

    speaker: str
    voice_config: VoiceConfig


class MultiSpeakerVoiceConfig(Wire, kw_only=True):
    """The voices of a dialogue."""

    speaker_voice_configs: list[SpeakerVoiceConfig]


class SpeechConfig(Wire, kw_only=True):
    """One voice or several, not both; the language is a BCP 47 code."""

    voice_config: VoiceConfig | None = None
    multi_speaker_voice_config: MultiSpeakerVoiceConfig | None = None
    language_code: str | None = None


class TranslationConfig(Wire, kw_only=True):
    """Speech translation; the target language is a BCP 47 code."""

    target_language_code: str
    echo_target_language: bool | None = None
    """True repeats speech that is already in the target language, False leaves it out."""


class TextResponseFormat(Wire, kw_only=True):
    """The format of text: APPLICATION_JSON (with a JSON schema) or TEXT_PLAIN."""

    mime_type: str | None = None
    schema: Any = None


class ImageResponseFormat(Wire, kw_only=True):
    """The format of images, in enumerated values (ASPECT_RATIO_ONE_BY_ONE, IMAGE_SIZE_ONE_K)."""

    mime_type: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    delivery: str | None = None


class AudioResponseFormat(Wire, kw_only=True):
    """The format of audio; `sample_rate` in hertz, `bit_rate` in bits per second."""

    mime_type: str | None = None
    sample_rate: int | None = None
    bit_rate: int | None = None
    delivery: str | None = None


class ResponseFormatConfig(Wire, kw_only=True):
    """The format of the answer, per modality."""

    text: TextResponseFormat | None = None
    image: ImageResponseFormat | None = None
    audio: AudioResponseFormat | None = None


class LanguageAuto(Wire, kw_only=True):
    """Lets the model recognise the language."""


class LanguageHints(Wire, kw_only=True):
    """The languages that may be spoken, as BCP 47 codes."""

    language_codes: list[str] = field(default_factory=list)


class AudioTranscriptionConfig(Wire, kw_only=True):
    """How to transcribe speech: its languages, the words to expect, and the details wanted."""

    language_codes: list[str] = field(default_factory=list)
    language_auto: LanguageAuto | None = None
    language_hints: LanguageHints | None = None
    custom_vocabulary: list[str] = field(default_factory=list)
    adaptation_phrases: list[str] = field(default_factory=list)
    word_timestamp: bool | None = None
    diarization: bool | None = None
    """True labels the speakers."""
    mode: str | None = None
    """A `TranscriptionMode`."""
    source_text: str | None = None


class AutoRoutingMode(Wire, kw_only=True):
    """Lets the API choose the model: PRIORITIZE_QUALITY, BALANCED or PRIORITIZE_COST."""

    model_routing_preference: str | None = None


class ManualRoutingMode(Wire, kw_only=True):
    """Names the model."""

    model_name: str | None = None


class RoutingConfig(Wire, kw_only=True):
    """Which model answers, with Vertex-backed channels: one of the two fields."""

    auto_mode: AutoRoutingMode | None = None
    manual_mode: ManualRoutingMode | None = None


class ModelSelectionConfig(Wire, kw_only=True):
    """What matters in the choice of a model, with Vertex-backed channels."""

    feature_selection_preference: str | None = None
    """A `FeatureSelectionPreference`."""


class GenerationConfig(Wire, kw_only=True):
    """How to generate; fields that are not set use the model's defaults."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    """In tokens, including thinking."""
    stop_sequences: list[str] = field(default_factory=list)
    """Up to five; the answer ends before the first one that appears."""
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    thinking_config: ThinkingConfig | None = None
    response_modalities: list[str] = field(default_factory=list)
    """`Modality` values; defaults to TEXT."""
    response_mime_type: str | None = None
    """`application/json` for JSON, with one of the two schemas or neither."""
    response_schema: Schema | None = None
    response_json_schema: Any = None
    _response_json_schema: Any = None  # the API lists both spellings
    response_format: ResponseFormatConfig | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    """The number of alternatives per token; requires `response_logprobs`."""
    media_resolution: str | None = None
    image_config: ImageConfig | None = None
    speech_config: SpeechConfig | None = None
    translation_config: TranslationConfig | None = None
    enable_enhanced_civic_answers: bool | None = None
    audio_timestamp: bool | None = None
    """True refers to times in audio; for Vertex-backed channels."""
    audio_transcription_config: AudioTranscriptionConfig | None = None
    routing_config: RoutingConfig | None = None
    model_config: ModelSelectionConfig | None = None
    model_selection_config: ModelSelectionConfig | None = None  # google-genai's name for it
