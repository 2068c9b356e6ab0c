"""Media types: by the extension of a file's name, and by the first bytes of its content. No I/O."""

import mimetypes

__all__ = ["extension_of", "type_of_content", "type_of_extension"]

# Types that https://ai.google.dev/gemini-api/docs lists and Python's own table lacks (in some
# versions) or names differently.
_TYPES = {
    ".3gp": "video/3gpp",
    ".3gpp": "video/3gpp",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".avi": "video/avi",
    ".avif": "image/avif",
    ".flac": "audio/flac",
    ".flv": "video/x-flv",
    ".js": "text/javascript",
    ".m4a": "audio/mp4",
    ".md": "text/markdown",
    ".mov": "video/mov",
    ".mp3": "audio/mp3",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".rtf": "text/rtf",
    ".wav": "audio/wav",
    ".webp": "image/webp",
    ".wmv": "video/wmv",
}

_EXTENSIONS = {
    "audio/aac": ".aac",
    "audio/flac": ".flac",
    "audio/mp3": ".mp3",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/heif": ".heif",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/tiff": ".tiff",
    "image/webp": ".webp",
}

# How files of each type begin: https://mimesniff.spec.whatwg.org and the formats' own documents.
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mp3"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"FLV\x01", "video/x-flv"),
)
# In a container, the type of its content comes after its length.
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/avi"}
_FORM = {b"AIFF": "audio/aiff", b"AIFC": "audio/aiff"}
_FTYP = {
    b"avif": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/mov",
    **dict.fromkeys((b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42"), "video/mp4"),
    **dict.fromkeys((b"avc1", b"dash", b"M4V "), "video/mp4"),
    **dict.fromkeys((b"3gp4", b"3gp5", b"3gp6"), "video/3gpp"),
}


def type_of_extension(extension: str) -> str | None:
    """Return the media type of files with an extension such as ".png"; None if it is unknown."""
    extension = extension.lower()
    # A new instance has Python's own table only, so the result does not depend on the machine's
    # /etc/mime.types.
    return _TYPES.get(extension) or mimetypes.MimeTypes().types_map[True].get(extension)


def type_of_content(data: bytes) -> str | None:
    """Return the media type of data that begins as a picture, a sound, a video or a PDF does."""
    for beginning, mime_type in _BEGINNINGS:
        if data.startswith(beginning):
            return mime_type
    match data[:4], data[4:8]:
        case b"RIFF", _:
            return _RIFF.get(data[8:12])
        case b"FORM", _:
            return _FORM.get(data[8:12])
        case _, b"ftyp":
            return _FTYP.get(data[8:12])
    return None


def extension_of(mime_type: str, data: bytes = b"") -> str:
    """Return the extension of a media type, or else of the data; ".bin" if both are unknown."""
    essence = mime_type.partition(";")[0].strip().lower()
    return _EXTENSIONS.get(essence) or _EXTENSIONS.get(type_of_content(data) or "", ".bin")
