"""Any file is a clean picture within the limits, or refused by our own errors. Chunks of real ones are changed."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Final, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from policenotify.publishing.images import MAX_BYTES, MAX_SIDE, prepare_picture
from tests.support.fuzz import damaged, only_ours


class Chunk(NamedTuple):
    """A part of a file: what marks it, and its content."""

    mark: bytes
    content: bytes


def _read_png(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a PNG (third edition, section 5.3)."""
    at = 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        yield Chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + size])
        at += 12 + size


def _write_png(chunks: list[Chunk], size: int) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for mark, content in chunks:
        code = zlib.crc32(mark + content)
        parts.append(struct.pack(">I", (len(content) + size) % 2**32) + mark + content + struct.pack(">I", code))
    return b"".join(parts)


def _read_jpeg(data: bytes) -> Iterator[Chunk]:
    """Yield the segments of a JPEG (ITU-T T.81, section B.1.1.4), the last one with the pixels."""
    at = 2
    while data[at + 1] != 0xDA:
        size = int.from_bytes(data[at + 2 : at + 4])
        yield Chunk(data[at : at + 2], data[at + 4 : at + 2 + size])
        at += 2 + size
    yield Chunk(b"", data[at:])


def _write_jpeg(chunks: list[Chunk], size: int) -> bytes:
    parts = [b"\xff\xd8"]
    for mark, content in chunks:
        parts += [mark, struct.pack(">H", (len(content) + 2 + size) % 2**16) if mark else b"", content]
    return b"".join(parts)


def _read_webp(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a WebP (RFC 9649, section 2.3)."""
    at = 12
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield Chunk(data[at : at + 4], data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2


def _write_webp(chunks: list[Chunk], size: int) -> bytes:
    parts = []
    for mark, content in chunks:
        parts.append(mark + struct.pack("<I", (len(content) + size) % 2**32) + content + b"\0" * (len(content) % 2))
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", (len(body) + size) % 2**32) + body


def _read_gif(data: bytes) -> Iterator[Chunk]:
    """Yield the blocks of a GIF (GIF89a, appendix A), each with its first byte as mark."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    yield Chunk(data[:6], data[6:at])
    while data[at : at + 1] in {b"\x21", b"\x2c"}:
        end = at + 2 if data[at] == 0x21 else at + 11 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 0x80 else 0)
        while data[end]:
            end += 1 + data[end]
        yield Chunk(data[at : at + 1], data[at + 1 : end + 1])
        at = end + 1
    yield Chunk(data[at : at + 1], data[at + 1 :])


def _write_gif(chunks: list[Chunk], _size: int) -> bytes:
    return b"".join(mark + content for mark, content in chunks)


def _encoded(kind: str, image: Image.Image, **how: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    exif[0x010E] = "rue des Lilas"
    return exif.tobytes()


_PHOTO: Final = Image.effect_noise((24, 16), 90).convert("RGB")
_CLEAR: Final = Image.effect_noise((24, 16), 90).convert("RGBA")
_MOVING: Final = {"save_all": True, "append_images": [_PHOTO.rotate(90), _PHOTO.rotate(180)], "duration": 40}
_WRITERS: Final[dict[str, tuple[Callable[[bytes], Iterator[Chunk]], Callable[[list[Chunk], int], bytes]]]] = {
    "PNG": (_read_png, _write_png),
    "JPEG": (_read_jpeg, _write_jpeg),
    "WEBP": (_read_webp, _write_webp),
    "GIF": (_read_gif, _write_gif),
}
SAMPLES: Final = {
    "png": ("PNG", _encoded("PNG", _PHOTO, exif=_exif(), dpi=(72, 72))),
    "png, transparent": ("PNG", _encoded("PNG", _CLEAR)),
    "png, palette": ("PNG", _encoded("PNG", _PHOTO.convert("P"), transparency=3)),
    "png, 16 bits": ("PNG", _encoded("PNG", _PHOTO.convert("I;16"))),
    "apng": ("PNG", _encoded("PNG", _PHOTO, **_MOVING)),
    "jpeg": ("JPEG", _encoded("JPEG", _PHOTO, exif=_exif(), comment=b"x")),
    "jpeg, progressive": ("JPEG", _encoded("JPEG", _PHOTO, progressive=True)),
    "jpeg, cmyk": ("JPEG", _encoded("JPEG", _PHOTO.convert("CMYK"))),
    "webp": ("WEBP", _encoded("WEBP", _PHOTO, exif=_exif())),
    "webp, lossless": ("WEBP", _encoded("WEBP", _CLEAR, lossless=True)),
    "webp, moving": ("WEBP", _encoded("WEBP", _PHOTO, **_MOVING)),
    "gif": ("GIF", _encoded("GIF", _PHOTO.convert("P"), transparency=3, comment=b"x")),
    "gif, moving": ("GIF", _encoded("GIF", _PHOTO, **_MOVING)),
}
MARKS: Final = (
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"eXIf", b"iTXt", b"zTXt", b"acTL", b"fcTL", b"fdAT", b"pHYs",
    b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"EXIF", b"XMP ", b"ICCP",
    b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xdb", b"\xff\xdd", b"\xff\xe0", b"\xff\xe1", b"\xff\xe2", b"\xff\xed",
    b"\xff\xee", b"\xff\xfe", b"\xff\xd9", b"\x21", b"\x2c", b"\x3b",
)  # fmt: skip
CONTENTS: Final = (
    b"", bytes(13), b"\xff" * 32, b"Exif\0\0II*\0" + b"\xff" * 40, b"Exif\0\0MM\0*\0\0\0\x08" + b"\0\x01\x01\x12" * 9,
    b"ICC_PROFILE\0\1\1" + bytes(128), b"icc\0\0" + zlib.compress(bytes(10_000)), b"JFIF\0\1\2",
    b"a\0\0" + zlib.compress(bytes(10**6)), b"Adobe\0\0\0\0\0\0\3", b"MPF\0II*\0" + b"\xff" * 30,
    struct.pack(">II", 2**31, 2**31) + b"\x08\6\0\0\0", struct.pack(">II", 1, 89_000_000) + b"\x08\2\0\0\0",
    struct.pack(">II", 3000, 3000) + b"\x10\6\0\0\1",
)  # fmt: skip


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Generate files whose chunks are those of a real picture, some dropped, moved, renamed, repeated or rewritten."""
    kind, data = SAMPLES[draw(st.sampled_from(list(SAMPLES)))]
    read, write = _WRITERS[kind]
    chunks = list(read(data))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(chunks) - 1)) if chunks else 0
        chunk = chunks.pop(at) if chunks else Chunk(draw(st.sampled_from(MARKS)), b"")
        match draw(st.sampled_from(("drop", "move", "repeat", "mark", "content", "content", "other"))):
            case "move":
                chunks.insert(draw(st.integers(0, len(chunks))), chunk)
            case "repeat":
                chunks[at:at] = [chunk] * draw(st.sampled_from((2, 3, 200)))
            case "mark":
                chunks.insert(at, chunk._replace(mark=draw(st.sampled_from(MARKS))))
            case "content":
                chunks.insert(at, chunk._replace(content=draw(damaged(chunk.content))))
            case "other":
                chunks[at:at] = [chunk, Chunk(draw(st.sampled_from(MARKS)), draw(st.sampled_from(CONTENTS)))]
            case _:
                pass
    whole = write(chunks, draw(st.sampled_from((0, 0, 0, 1, -1, 2**15, 2**31))))
    return whole if draw(st.integers(0, 9)) else draw(damaged(whole))


@given(files())
def test_any_file_is_a_clean_picture_or_refused(data: bytes) -> None:
    with warnings.catch_warnings(), only_ours():
        warnings.simplefilter("ignore")  # as in production, where a decoder's warning raises nothing
        picture = prepare_picture(data, "Une rue sous la neige")
        assert len(picture.data) <= MAX_BYTES
        assert max(picture.width, picture.height) <= MAX_SIDE
        with Image.open(BytesIO(picture.data)) as image:
            image.load()
            assert image.size == (picture.width, picture.height)
            assert not image.getexif()
            assert getattr(image, "n_frames", 1) == 1


def test_unchanged_chunks_are_the_same_picture() -> None:
    for kind, data in SAMPLES.values():
        read, write = _WRITERS[kind]
        assert write(list(read(data)), 0) == data
        prepare_picture(data, "Une rue sous la neige")
