"""Images: read once, decoded, stripped of metadata, and scaled to what networks accept.

A photograph from an officer's telephone carries the place, the time, the device, often a thumbnail of what was cropped
away. Only the pixels of a file are kept: every picture is decoded and encoded again.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Literal, NamedTuple

from policenotify.channel import Picture
from policenotify.errors import InvalidImage, MissingExtra
from policenotify.model.message import Image as MessageImage
from policenotify.model.message import Message, PathLike
from policenotify.translation import Text

if TYPE_CHECKING:
    from PIL import Image

MAX_BYTES = 2_000_000
"""Bytes of a published picture: the smallest limit of our networks, Bluesky's (lexicon `app.bsky.embed.images`,
`maxSize` of `image`)."""

MAX_SIDE = 2_000
"""Pixels of the longer side: what Bluesky's own application sends at the most (`POST_IMG_MAX` in
`src/lib/constants.ts` of bluesky-social/social-app)."""

MAX_PIXELS = 30_000_000
"""Pixels of an input picture, some 120 MB in memory: more than the 24 million of a press camera."""

MAX_INPUT_SIDE = 20_000
"""Pixels of its longer side. The tables by which it is scaled grow with the side, not with the picture."""

MAX_INPUT = 50_000_000
"""Bytes of an input picture: far above any photograph."""

_MediaType = Literal["image/jpeg", "image/png"]
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_COLOURS_OF_A_DRAWING = 256  # maps, signs and logos stay sharp as PNG; a photograph has more
_QUALITIES = (90, 85, 80, 75)  # Pillow advises against more than 95; below 75 a smaller picture looks better
_SHRINK = 0.85  # of each side, when no quality is enough
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)  # a pipe is opened without waiting
_SMALLEST = 64  # pixels; below, nothing can be recognised


class LoadedMessage(NamedTuple):
    """A message whose images are read.

    Attributes:
        message: The message, its images named by digest.
        pictures: Those images.
    """

    message: Message
    pictures: tuple[Picture, ...] = ()


def load_images(message: Message, stored: Callable[[str, str], Picture]) -> LoadedMessage:
    """Read, strip and shrink the images of a message. *stored* returns one of the journal by digest and description.

    Raises:
        InvalidImage: An image cannot be used.
    """
    pictures = tuple(_load(image, stored) for image in message.images)
    images = tuple(MessageImage(alt=picture.alt, digest=picture.digest) for picture in pictures)
    return LoadedMessage(message.changed(images=images), pictures)


def _load(image: MessageImage, stored: Callable[[str, str], Picture]) -> Picture:
    if image.digest is not None:
        return stored(image.digest, image.alt)
    data = image.data or b"" if image.path is None else read_picture(image.path)
    return prepare_picture(data, image.alt)


def read_picture(path: str | PathLike) -> bytes:
    """Return the content of a picture's file. A device or a pipe may never end, so neither is read.

    Raises:
        InvalidImage: It cannot be used. The reason is the same for each, so that it names no file that exists.
    """
    try:
        with open(path, "rb", opener=lambda name, _flags: os.open(name, _FLAGS)) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and len(data := file.read(MAX_INPUT + 1)) <= MAX_INPUT:
                return data
    except (OSError, ValueError):  # ValueError: a NUL in it
        pass
    raise InvalidImage(
        Text(
            "Nothing was sent: the picture {path!r} cannot be used. Give a picture's file that this user may "
            "read, of at most {max_input} MB.",
            path=os.fspath(path)[:200],
            max_input=MAX_INPUT // 1_000_000,
        )
    )


def prepare_picture(data: bytes, alt: str) -> Picture:
    """Return a picture that may be published.

    It is turned upright, converted to sRGB, scaled down and compressed until it keeps `MAX_BYTES` and `MAX_SIDE`. A
    picture with transparent parts or the few colours of a drawing becomes a PNG if that keeps the limits, any other a
    JPEG. Only the first frame of an animation is kept. One release of Pillow makes the same picture of the same bytes.

    Args:
        data: A JPEG, PNG, WebP, GIF or BMP file.
        alt: Its description, for those who cannot see it.

    Raises:
        InvalidImage: The file is not a picture, is damaged or too large, or has no description.
        MissingExtra: Pillow is not installed.
    """
    if not alt.strip():
        raise InvalidImage(Text("Nothing was sent: a picture has no description. Say in `alt` what it shows."))
    for media_type, encoded, (width, height) in _encodings(_decoded(data)):
        if len(encoded) <= MAX_BYTES:
            digest = hashlib.sha256(encoded).hexdigest()
            return Picture(
                digest=digest, media_type=media_type, width=width, height=height, alt=alt.strip(), data=encoded
            )
    raise InvalidImage(
        Text("Nothing was sent: a picture does not fit {max_bytes} bytes. Choose another.", max_bytes=MAX_BYTES)
    )


def _decoded(data: bytes) -> Image.Image:
    """Return the pixels alone: upright, in sRGB, as `RGB` or (with transparent parts) `RGBA`."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - only loaded for pictures
    except ImportError as error:
        raise MissingExtra("A picture", "images") from error
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            _check_size(data, image)
            image.draft("RGB", (MAX_SIDE, MAX_SIDE))  # decodes a JPEG at a fraction of its size, never below
            image.load()
            upright: Image.Image = image
            with suppress(Exception):  # a broken EXIF block names no orientation
                upright = ImageOps.exif_transpose(image)
            return _clean(upright)
    except UnidentifiedImageError:
        raise InvalidImage(
            Text(
                "Nothing was sent: a file is not a picture that can be read. It may be HEIC, as telephones store it, "
                "PDF or SVG. Save it as JPEG or PNG and give that."
            )
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise _too_large() from None
    except InvalidImage:
        raise
    except Exception as error:  # decoders of damaged files raise many kinds of errors
        raise InvalidImage(
            Text(
                "Nothing was sent: a picture is damaged or incomplete ({name}). Open it, save it as JPEG or "
                "PNG, and give that; if it was being copied, copy it again.",
                name=type(error).__name__,
            )
        ) from error


def _check_size(data: bytes, image: Image.Image) -> None:
    if len(data) > MAX_INPUT or image.width * image.height > MAX_PIXELS or max(image.size) > MAX_INPUT_SIDE:
        raise _too_large()


def _too_large() -> InvalidImage:
    return InvalidImage(
        Text(
            "Nothing was sent: a picture is too large. {max_input} MB and {max_pixels} million pixels are allowed, and "
            "{max_input_side} pixels on a side. Save it smaller.",
            max_input=MAX_INPUT // 1_000_000,
            max_pixels=MAX_PIXELS // 1_000_000,
            max_input_side=MAX_INPUT_SIDE,
        )
    )


def _clean(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # scans and plans may have sixteen bits for each colour
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    transparent = image.has_transparency_data
    if image.mode not in {"RGB", "RGBA", "L", "CMYK"} or (transparent and image.mode != "RGBA"):
        image = image.convert("RGBA" if transparent else "RGB")
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = _in_srgb(image.convert("RGB") if alpha else image, profile)
    if alpha and alpha.getextrema() != (255, 255):
        colours.putalpha(alpha)
    return colours


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert the colours for readers, who do not get the colour profile of the file."""
    from PIL import Image, ImageCms  # noqa: PLC0415 - see _decoded()

    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a profile that is damaged, or made for other colours, is ignored
        else:
            if isinstance(converted, Image.Image):
                return converted
    return image.convert("RGB")


def _encodings(image: Image.Image) -> Iterator[tuple[_MediaType, bytes, tuple[int, int]]]:
    """Yield the picture in ever fewer bytes, the best first."""
    from PIL import Image  # noqa: PLC0415 - see _decoded()

    drawing = image.mode == "RGBA" or image.getcolors(_COLOURS_OF_A_DRAWING) is not None
    longest = min(MAX_SIDE, max(image.size))
    if drawing:
        sharp = _scaled(image, longest)
        yield "image/png", _encoded(sharp, "PNG", optimize=True), sharp.size
    flat = image
    if image.mode == "RGBA":  # on white, since a JPEG has no transparent parts
        flat = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    while True:
        smaller = _scaled(flat, longest)
        for quality in _QUALITIES:
            encoded = _encoded(smaller, "JPEG", quality=quality, optimize=True, progressive=True)
            yield "image/jpeg", encoded, smaller.size
        if longest <= _SMALLEST:
            return
        longest = max(_SMALLEST, round(longest * _SHRINK))


def _scaled(image: Image.Image, longest: int) -> Image.Image:
    """Return the pixels scaled to that longer side, without comments."""
    from PIL import Image  # noqa: PLC0415 - see _decoded()

    ratio = longest / max(image.size)
    width, height = (max(1, round(side * ratio)) for side in image.size)
    scaled = image.resize((width, height), Image.Resampling.LANCZOS)
    return Image.frombytes(scaled.mode, scaled.size, scaled.tobytes())


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
