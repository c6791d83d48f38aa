"""Any file is a clean picture within the limits, or refused by our own errors. Bytes of real ones are changed."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from policenotify.publishing.images import MAX_BYTES, MAX_SIDE, prepare_picture
from tests.support.fuzz import damaged, only_ours


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
SAMPLES: Final = (
    _encoded("PNG", _PHOTO, exif=_exif(), dpi=(72, 72)),
    _encoded("PNG", _CLEAR),
    _encoded("PNG", _PHOTO.convert("I;16")),
    _encoded("PNG", _PHOTO, **_MOVING),
    _encoded("JPEG", _PHOTO, exif=_exif(), comment=b"x"),
    _encoded("JPEG", _PHOTO.convert("CMYK"), progressive=True),
    _encoded("WEBP", _CLEAR, lossless=True, exif=_exif()),
    _encoded("WEBP", _PHOTO, **_MOVING),
    _encoded("GIF", _PHOTO.convert("P"), transparency=3, comment=b"x"),
    _encoded("GIF", _PHOTO, **_MOVING),
)


@given(st.sampled_from(SAMPLES).flatmap(damaged) | st.sampled_from(SAMPLES))
def test_any_file_is_a_clean_picture_or_refused(data: bytes) -> None:
    with warnings.catch_warnings(), only_ours() as raised:
        warnings.simplefilter("ignore")  # as in production, where a decoder's warning raises nothing
        picture = prepare_picture(data, "Une rue sous la neige")
        assert len(picture.data) <= MAX_BYTES
        assert max(picture.width, picture.height) <= MAX_SIDE
        with Image.open(BytesIO(picture.data)) as image:
            image.load()
            assert image.size == (picture.width, picture.height)
            assert not image.getexif()
            assert getattr(image, "n_frames", 1) == 1
    assert not raised or data not in SAMPLES
