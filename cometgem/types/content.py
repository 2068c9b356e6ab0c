"""Content and its parts, from either side. No I/O except `Part.from_file`; wire-faithful.

Every struct decodes from as little as `{}`: a stream may send a content without parts, or a
function call without a name.
"""

from os import PathLike
from typing import Any, Self

from msgspec import UNSET, UnsetType, field

from cometgem.types.enums import MediaResolutionLevel
from cometgem.types.files import MAX_FILE_SIZE, check_file, read_file
from cometgem.types.mime import type_of_content, type_of_extension
from cometgem.types.pictures import PictureLike, encode_picture
from cometgem.types.wire import UNKNOWN, Wire


def _always_sent() -> dict[str, Any]:
    # Not `dict` itself: omit_defaults recognises that and would leave out an empty object.
    return {}


class Blob(Wire, kw_only=True):
    """Media inside the message: bytes here, base64 on the wire."""

    data: bytes = b""
    mime_type: str = ""
    display_name: str | None = None


class FileData(Wire, kw_only=True):
    """Media at a URL that the server can fetch."""

    file_uri: str = ""
    mime_type: str | None = None
    display_name: str | None = None


class PartialArg(Wire, kw_only=True):
    """A piece of one argument of a streamed function call; Vertex-backed channels send it."""

    json_path: str = ""
    """Where the value goes, such as `$.stops[0].name`."""
    string_value: str | None = None
    """Appended to the string received so far."""
    number_value: int | float | None = None
    bool_value: bool | None = None
    null_value: str | UnsetType | None = UNSET
    """If set to anything, the value is null; on the wire it is "NULL_VALUE" or null."""
    will_continue: bool | None = None


class FunctionCall(Wire, kw_only=True):
    """A request by the model to call one of the caller's functions."""

    name: str = ""
    args: dict[str, Any] = field(default_factory=_always_sent)
    id: str | None = None
    partial_args: list[PartialArg] = field(default_factory=list)
    will_continue: bool | None = None
    """True if more pieces of this call follow, so it must not be run yet."""


class FunctionResponseBlob(Blob, kw_only=True):
    """Media that a function returned."""


class FunctionResponseFileData(FileData, kw_only=True):
    """Media that a function returned, at a URL that the server can fetch."""


class VideoMetadata(Wire, kw_only=True):
    """Which section of a video to use: offsets such as "3.5s"; `fps` in frames per second."""

    start_offset: str | None = None
    end_offset: str | None = None
    fps: float | None = None
    content_layers: list[str] = field(default_factory=list)
    """`VideoContentLayer` values; defaults to all."""


class AudioMetadata(Wire, kw_only=True):
    """Which section of a recording to use: offsets such as "3.5s"."""

    start_offset: str | None = None
    end_offset: str | None = None


class DocumentMetadata(Wire, kw_only=True):
    """Which pages of a document to use."""

    start_page: int | None = None
    end_page: int | None = None
    content_layers: list[str] = field(default_factory=list)
    """`DocumentContentLayer` values; defaults to all."""


class SpreadsheetMetadata(Wire, kw_only=True):
    """Which cells of a spreadsheet to use: a range such as "A1:C9" of one sheet."""

    visible_cells: str | None = None
    sheet_index: int | None = None
    content_layers: list[str] = field(default_factory=list)
    """`SpreadsheetContentLayer` values; defaults to all."""


class MediaResolution(Wire, kw_only=True):
    """The resolution of one part's media: a `MediaResolutionLevel` or a number of tokens."""

    level: str | None = None
    num_tokens: int | None = None


class FunctionResponsePart(Wire, kw_only=True):
    """One piece of media in a function's response, inside it or at a URL; and how to read it."""

    inline_data: FunctionResponseBlob | None = None
    file_data: FunctionResponseFileData | None = None
    media_processing: str | None = None
    """A `MediaProcessing`."""
    media_resolution: MediaResolution | None = None
    video_metadata: VideoMetadata | None = None
    audio_metadata: AudioMetadata | None = None
    document_metadata: DocumentMetadata | None = None
    spreadsheet_metadata: SpreadsheetMetadata | None = None


# dict=True gives `call_index` a place outside the fields; msgspec requires gc=True with it.
class FunctionResponse(Wire, kw_only=True, dict=True, gc=True):
    """The result of a `FunctionCall`, with the call's `name`, and its `id` if it has one."""

    name: str = ""
    response: dict[str, Any] = field(default_factory=_always_sent)
    id: str | None = None
    parts: list[FunctionResponsePart] = field(default_factory=list)
    will_continue: bool | None = None
    scheduling: str | None = None
    """A `Scheduling`; for NON_BLOCKING functions."""

    @property
    def call_index(self) -> int | None:
        """The position of its call among the calls of the turn, if a conversation handed it out.

        Tells apart the results of calls of one function without ids. Otherwise None; never sent.
        """
        index: int | None = self.__dict__.get("call_index")
        return index


class ExecutableCode(Wire, kw_only=True):
    """Code written by the model and run by the server."""

    code: str = ""
    language: str = ""
    id: str | None = None


class CodeExecutionResult(Wire, kw_only=True):
    """The result of running `ExecutableCode`: an `Outcome`; `output` is its stdout or stderr."""

    outcome: str = ""
    output: str | None = None
    id: str | None = None


class ToolCall(Wire, kw_only=True):
    """A call of a tool that the server runs itself; `tool_type` is a `ToolType`."""

    tool_type: str = ""
    args: dict[str, Any] | None = None
    id: str | None = None


class ToolResponse(Wire, kw_only=True):
    """The result of a `ToolCall`; send it back unchanged."""

    tool_type: str = ""
    response: dict[str, Any] | None = None
    id: str | None = None


class WordInfo(Wire, kw_only=True):
    """One spoken word and its offsets, such as "3.5s"."""

    word: str | None = None
    start_offset: str | None = None
    end_offset: str | None = None


class Transcription(Wire, kw_only=True):
    """What was said, by whom, and from when to when; offsets such as "3.5s"."""

    text: str | None = None
    finished: bool | None = None
    language_code: str | None = None
    speaker_label: str | None = None
    words: list[WordInfo] = field(default_factory=list)
    start_offset: str | None = None
    end_offset: str | None = None


class SpeechMetadata(Wire, kw_only=True):
    """How to speak a text: the speaker's name, and a style in words."""

    speaker: str | None = None
    style: str | None = None


# Unknown keys are not ignored here but refused by the typed decoder, so that the lenient one can
# move them to `unknown`. This costs a part without such keys nothing.
class Part(Wire, kw_only=True, forbid_unknown_fields=True):
    """One piece of a message, such as a text, an image or a function call, and its metadata.

    A kind or a key of part that is newer than this library is kept in `unknown`, and is sent,
    written and read as a key of the part itself.
    """

    text: str | None = None
    thought: bool | None = None
    """True if the part belongs to the model's thinking, not to its answer."""
    thought_signature: str | None = None
    """Opaque; must be sent back unchanged, in this part, with the next turn."""
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    tool_call: ToolCall | None = None
    tool_response: ToolResponse | None = None
    video_metadata: VideoMetadata | None = None
    media_resolution: MediaResolution | None = None
    part_metadata: dict[str, Any] | None = None
    audio_transcription: Transcription | None = None
    media_processing: str | None = None
    """A `MediaProcessing`."""
    speech_metadata: SpeechMetadata | None = None
    audio_metadata: AudioMetadata | None = None
    document_metadata: DocumentMetadata | None = None
    spreadsheet_metadata: SpreadsheetMetadata | None = None
    unknown: dict[str, Any] | None = field(default=None, name=UNKNOWN)
    """The keys of the part that are newer than this library, with their JSON; none is null."""

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        mime_type: str,
        *,
        video_metadata: VideoMetadata | None = None,
        media_resolution: str | None = None,
    ) -> Self:
        """Return media sent inside the request; the gateway accepts bodies up to 128 MB.

        Args:
            data: The content of the file.
            mime_type: Such as "image/png".
            video_metadata: Which section of a video to use, and how many frames of it.
            media_resolution: "low", "medium", "high", "ultra_high" or a `MediaResolutionLevel`.

        Raises:
            ValueError: `media_resolution` is none of these.
        """
        return cls(
            inline_data=Blob(data=data, mime_type=mime_type),
            video_metadata=video_metadata,
            media_resolution=_media_resolution(media_resolution),
        )

    @classmethod
    def from_uri(
        cls,
        uri: str,
        mime_type: str,
        *,
        video_metadata: VideoMetadata | None = None,
        media_resolution: str | None = None,
    ) -> Self:
        """Return media that the server fetches from a public HTTPS URL.

        Args:
            uri: The URL.
            mime_type: Such as "video/mp4".
            video_metadata: Which section of a video to use, and how many frames of it.
            media_resolution: "low", "medium", "high", "ultra_high" or a `MediaResolutionLevel`.

        Raises:
            ValueError: `media_resolution` is none of these.
        """
        return cls(
            file_data=FileData(file_uri=uri, mime_type=mime_type),
            video_metadata=video_metadata,
            media_resolution=_media_resolution(media_resolution),
        )

    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        *,
        max_size: int | None = MAX_FILE_SIZE,
        video_metadata: VideoMetadata | None = None,
        media_resolution: str | None = None,
    ) -> Self:
        """Read media from a file immediately, which blocks the event loop for as long.

        The type is inferred from the file extension, or else from the first bytes.
        ``cometgem.part_from_file`` reads in a thread.

        Args:
            path: A regular file; devices, FIFOs and directories are refused before they are opened.
            max_size: The maximum size of the file, in bytes. Defaults to 100 MB; None is no limit.
            video_metadata: Which section of a video to use, and how many frames of it.
            media_resolution: "low", "medium", "high", "ultra_high" or a `MediaResolutionLevel`.

        Raises:
            OSError: The file cannot be read, is not a regular file, or is too large.
            ValueError: The type of the file is unknown, or an argument is not valid.
        """
        path = check_file(path, max_size)
        data = read_file(path, max_size)
        mime_type = type_of_extension(path.suffix) or type_of_content(data)
        if mime_type is None:
            raise ValueError(
                f"cannot infer the media type of {str(path)!r} from its extension or its first"
                " bytes: use Part.from_bytes(data, mime_type)"
            )
        return cls.from_bytes(
            data, mime_type, video_metadata=video_metadata, media_resolution=media_resolution
        )

    @classmethod
    def from_image(cls, image: PictureLike, *, media_resolution: str | None = None) -> Self:
        """Return a PIL image as PNG, or as JPEG if it was opened from a JPEG file.

        Args:
            image: A ``PIL.Image.Image``.
            media_resolution: "low", "medium", "high", "ultra_high" or a `MediaResolutionLevel`.

        Raises:
            TypeError: It is not a PIL image.
            ValueError: `media_resolution` is not valid.
        """
        return cls.from_bytes(*encode_picture(image), media_resolution=media_resolution)

    @classmethod
    def from_function_response(
        cls,
        name: str,
        response: dict[str, Any],
        id: str | None = None,  # noqa: A002  # the wire's name
    ) -> Self:
        """Return the result of a function call: the call's `name`, and its `id` if it has one."""
        return cls(function_response=FunctionResponse(name=name, response=response, id=id))


class Content(Wire, kw_only=True):
    """One turn of a conversation; `role` is "user" or "model"."""

    parts: list[Part] = field(default_factory=list)
    role: str | None = None


def _media_resolution(given: str | None) -> MediaResolution | None:
    if given is None:
        return None
    level = str(given).upper()
    # Full names pass, since there may be newer ones.
    if not level.startswith("MEDIA_RESOLUTION_"):
        if level not in MediaResolutionLevel.__members__:
            names = ", ".join(map(repr, map(str.lower, MediaResolutionLevel.__members__)))
            raise ValueError(f"media_resolution={given!r} is unknown: use one of {names}")
        level = f"MEDIA_RESOLUTION_{level}"
    return MediaResolution(level=level)
