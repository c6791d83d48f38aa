import random
import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageDraw, PngImagePlugin

from policenotify.channel import Picture
from policenotify.errors import InvalidImage
from policenotify.publishing import images
from policenotify.publishing.images import MAX_BYTES, MAX_SIDE, prepare_picture

MARK = "Z6-RUE-DES-LILAS-12"
RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 160, 30)


def photo(width: int = 120, height: int = 80) -> Image.Image:
    """More colours than a drawing has: left half reddish, right half bluish."""
    dice = random.Random(7)  # noqa: S311 - the same picture in every run
    noise = Image.frombytes("RGB", (width, height), dice.randbytes(width * height * 3))
    halves = Image.new("RGB", (width, height), RED)
    halves.paste(BLUE, (width // 2, 0, width, height))
    return Image.blend(halves, noise, 0.2)


def encoded(image: Image.Image, kind: str = "JPEG", **how: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def shown(result: Picture) -> Image.Image:
    image = Image.open(BytesIO(result.data))
    image.load()
    return image


def near(pixel: object, colour: tuple[int, ...], by: int = 45) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) <= by for one, other in zip(pixel, colour, strict=True))


def exif_of_a_telephone(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = MARK
    exif[ExifTags.Base.ImageDescription] = MARK
    exif[ExifTags.Base.Orientation] = orientation
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef] = "N"
    gps[ExifTags.GPS.GPSLatitude] = (43.0, 36.0, 39.0)
    gps[ExifTags.GPS.GPSProcessingMethod] = MARK.encode()
    return exif


def test_a_telephone_s_photograph_comes_out_without_place_device_comment_or_profile() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(photo(), exif=exif_of_a_telephone(), comment=MARK.encode(), icc_profile=profile, xmp=MARK.encode())
    assert data.count(MARK.encode()) == 5
    assert Image.open(BytesIO(data)).getexif().get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    result = prepare_picture(data, "Une rue")
    assert result.media_type == "image/jpeg"
    assert MARK.encode() not in result.data
    assert b"Exif" not in result.data
    image = shown(result)
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression"}


def test_a_png_comes_out_without_text_exif_or_profile() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", MARK)
    text.add_itxt("XML:com.adobe.xmp", MARK)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plan = Image.new("RGB", (50, 40), RED)
    data = encoded(plan, "PNG", pnginfo=text, exif=exif_of_a_telephone(), icc_profile=profile)
    result = prepare_picture(data, "Un plan")
    assert result.media_type == "image/png"
    chunks = [result.data[at : at + 4] for at in chunk_names(result.data)]
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}


def chunk_names(png: bytes) -> list[int]:
    """Return the positions of the chunks' names (PNG third edition, section 5.3)."""
    places, at = [], 8
    while at < len(png):
        places.append(at + 4)
        at += 12 + int.from_bytes(png[at : at + 4])
    return places


def test_the_second_picture_of_a_telephone_s_file_is_gone() -> None:
    data = encoded(photo(), "MPO", save_all=True, append_images=[Image.new("RGB", (90, 60), GREEN)])
    assert Image.open(BytesIO(data)).format == "MPO"
    result = prepare_picture(data, "x")
    image = shown(result)
    assert (image.format, image.size) == ("JPEG", (120, 80))
    assert result.data.count(b"\xff\xd8\xff") == 1


@pytest.mark.parametrize(
    ("orientation", "size", "red_at", "blue_at", "green_corner"),
    [  # Exif 3.0, tag Orientation: where the stored left half and the stored upper left corner are seen
        (1, (120, 80), (40, 40), (110, 40), (5, 5)),
        (2, (120, 80), (80, 40), (10, 40), (115, 5)),
        (6, (80, 120), (40, 40), (40, 110), (75, 5)),
        (9, (120, 80), (40, 40), (110, 40), (5, 5)),  # no such orientation: as stored
    ],
)
def test_it_is_turned_upright(
    orientation: int,
    size: tuple[int, int],
    red_at: tuple[int, int],
    blue_at: tuple[int, int],
    green_corner: tuple[int, int],
) -> None:
    stored = photo()
    stored.paste(GREEN, (0, 0, 20, 20))
    result = prepare_picture(encoded(stored, exif=exif_of_a_telephone(orientation)), "x")
    assert (result.width, result.height) == shown(result).size == size
    assert near(shown(result).getpixel(red_at), RED)
    assert near(shown(result).getpixel(blue_at), BLUE)
    assert near(shown(result).getpixel(green_corner), GREEN)


def test_both_limits_are_kept_and_the_shape_too(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = Image.frombytes("RGB", (2400, 1200), random.Random(1).randbytes(2400 * 1200 * 3))  # noqa: S311 - see photo()
    result = prepare_picture(encoded(noisy, quality=95), "x")
    assert len(result.data) <= MAX_BYTES == 2_000_000
    assert (result.width, result.height) == (MAX_SIDE, 1000) == (2000, 1000)
    monkeypatch.setattr(images, "MAX_BYTES", 60_000)
    monkeypatch.setattr(images, "MAX_SIDE", 1_600)
    small = prepare_picture(encoded(noisy, quality=95), "x")
    assert len(small.data) <= 60_000
    assert 64 < small.width < 1_600
    assert abs(small.width - 2 * small.height) <= 1


def test_drawings_and_transparent_parts_become_png() -> None:
    sign = Image.new("RGBA", (60, 60))
    ImageDraw.Draw(sign).ellipse((5, 5, 55, 55), fill=(*RED, 255))
    result = prepare_picture(encoded(sign, "PNG"), "Un panneau")
    assert result.media_type == "image/png"
    assert shown(result).getpixel((0, 0)) == (0, 0, 0, 0)
    assert shown(result).getpixel((30, 30)) == (*RED, 255)
    logo = sign.quantize(8)
    assert prepare_picture(encoded(logo, "GIF", transparency=logo.getpixel((0, 0))), "x").media_type == "image/png"
    assert prepare_picture(encoded(photo().convert("RGBA"), "PNG"), "x").media_type == "image/jpeg"


def test_a_half_copied_picture_is_reported() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        data = encoded(photo(400, 300), kind)
        with pytest.raises(InvalidImage, match=r"damaged or incomplete .* copy it again"):
            prepare_picture(data[: len(data) // 2], "x")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"Accident sur l'A9", "not a picture that can be read"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "It may be HEIC"),
        (b"%PDF-1.7\n", "Save it as JPEG or PNG"),
    ],
)
def test_an_invalid_picture_is_reported_plainly(data: bytes, said: str) -> None:
    with pytest.raises(InvalidImage) as raised:
        prepare_picture(data, "x")
    assert said in str(raised.value)
    assert str(raised.value).startswith("Nothing was sent: ")


@pytest.mark.parametrize(("width", "height"), [(5_500, 5_500), (60_000, 60_000), (1, 20_001), (20_001, 1)])
def test_a_bomb_is_not_unpacked(width: int, height: int) -> None:
    head = struct.pack(">II5B", width, height, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    chunks = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    )
    with pytest.raises(InvalidImage, match="30 million pixels are allowed, and 20000 pixels on a side"):
        prepare_picture(b"\x89PNG\r\n\x1a\n" + chunks, "x")


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_picture_needs_a_description(alt: str) -> None:
    with pytest.raises(InvalidImage, match="no description"):
        prepare_picture(encoded(photo()), alt)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # Pillow remarks on it; that is all right
def test_broken_exif_is_not_a_reason_to_refuse_a_picture() -> None:
    for block in (b"", b"MM\0*\0\0\0\x08\xff\xff", b"II*\0\xff\xff\xff\x7f", b"garbage!"):
        result = prepare_picture(encoded(photo(), exif=b"Exif\0\0" + block), "x")
        assert near(shown(result).getpixel((10, 40)), RED)
        assert b"Exif" not in result.data


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_input_is_a_picture_or_a_plain_refusal(data: st.DataObject) -> None:
    whole = bytearray(encoded(photo(40, 30), data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP"]))))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=6)):
        whole[at] = data.draw(st.integers(0, 255))
    try:
        result = prepare_picture(bytes(whole), "x")
    except InvalidImage as error:
        assert str(error).startswith("Nothing was sent: ")  # noqa: PT017 - either end is right
    else:
        assert shown(result).size == (result.width, result.height)
