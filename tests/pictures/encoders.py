"""Pictures by real encoders, with what must go hidden in them wherever the format has a place for it."""

import io
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, ImageDraw

HIDDEN = b"HIDDEN-48.858N-2.294E"
SIZE = (64, 48)
P3, PQ = (12, 13, 0), (9, 16, 0)  # primaries, transfer and matrix of Display P3 and of BT.2100 PQ (ITU-T H.273)
COMMENT = HIDDEN.decode()
ONE_COMPONENT = b"0; 1; 2;"
ODD_SCANS = b"""
0: 0-0, 0, 3;  1,2: 0-0, 0, 1;  0: 0-0, 3, 2;  0: 1-9, 0, 3;  0: 10-63, 0, 0;  1: 1-63, 0, 2;  0: 1-9, 3, 2;
0: 0-0, 2, 1;  0: 0-0, 1, 0;  2: 0-0, 1, 0;  1: 0-0, 1, 0;  0: 1-9, 2, 1;  0: 1-9, 1, 0;  2: 1-1, 0, 0;
2: 2-63, 0, 0;  1: 1-63, 2, 1;  1: 1-63, 1, 0;
"""
"""For jpegtran: components, the first and last coefficient, and the bits that were sent and that are still to come."""
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>' + HIDDEN + b"</a></x:xmpmeta>"


def scene(mode: str = "RGB", shift: int = 0) -> Image.Image:
    """Something with edges, ramps and saturated colours, in which every pixel matters."""
    image = Image.linear_gradient("L").resize(SIZE)
    image = Image.merge("RGB", (image, image.rotate(180), image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    draw = ImageDraw.Draw(image)
    draw.rectangle((4 + shift, 6, 24 + shift, 30), fill=(255, 20, 0))
    draw.ellipse((30, 10 + shift, 60, 40 + shift), fill=(0, 230, 40))
    if mode in {"RGBA", "LA"}:
        alpha = Image.radial_gradient("L").resize(SIZE)
        image.putalpha(alpha)
    return image.convert(mode)


def frames(mode: str = "RGB") -> list[Image.Image]:
    return [scene(mode, shift) for shift in (0, 5, 9, 14)]


def exif(orientation: int = 1) -> Image.Exif:
    """With a position, a camera's name and an orientation."""
    found = Image.Exif()
    found[0x0112], found[0x010F] = orientation, COMMENT
    found.get_ifd(0x8825)[29] = COMMENT
    return found


def swapped_profile() -> bytes:
    """A colour profile that shows red as green, so that nobody can lose it unnoticed."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = {bytes(profile[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """The chunks go behind the header, where all of them may be."""
    return png[:33] + b"".join(chunks) + png[33:]


class Encoders:
    """Runs command-line encoders in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0

    def file(self, content: bytes, ending: str) -> str:
        self._number += 1
        path = self._folder / f"{self._number}.{ending}"
        path.write_bytes(content)
        return str(path)

    def run(self, ending: str, *command: str) -> bytes:
        """What the command writes to the path that stands for ``OUT``."""
        self._number += 1
        out = self._folder / f"{self._number}.{ending}"
        subprocess.run(
            [str(out) if part == "OUT" else part for part in command], check=True, capture_output=True, timeout=60
        )
        return out.read_bytes()

    def stills(self, mode: str = "RGB") -> list[str]:
        return [self.file(saved(each, "PNG"), "png") for each in frames(mode)]


def pictures(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each with a name: type, encoder, property."""
    encoders = Encoders(folder)
    for make in (_png, _apng, _jpeg, _webp, _gif, _avif):
        yield from make(encoders)


def _png(encoders: Encoders) -> Iterator[tuple[str, bytes]]:
    plain = saved(scene(), "PNG")
    text = png_chunk(b"tEXt", b"Comment\0" + HIDDEN)
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"):
        yield (
            f"PNG Pillow {mode}",
            with_chunks(saved(scene("L" if mode == "I;16" else mode).convert(mode), "PNG"), text),
        )
    yield "PNG Pillow transparent colour", saved(scene("P"), "PNG", transparency=3)
    yield "PNG Pillow colour profile", with_chunks(saved(scene(), "PNG", icc_profile=swapped_profile()), text)
    yield "PNG Pillow density", saved(scene(), "PNG", dpi=(300, 150))
    for orientation in (3, 6, 8):
        yield f"PNG Pillow turned {orientation}", saved(scene(), "PNG", exif=exif(orientation))
    for name, colours in (("P3", P3), ("PQ", PQ)):
        yield f"PNG Pillow cICP {name}", with_chunks(plain, png_chunk(b"cICP", bytes((*colours, 1))), text)
    yield "PNG Pillow gamma", with_chunks(plain, png_chunk(b"gAMA", struct.pack(">I", 100_000)))
    broken = text[:-1] + bytes((text[-1] ^ 1,))
    yield "PNG Pillow broken text", with_chunks(plain, broken)
    yield "PNG Pillow something behind", plain + HIDDEN * 5000
    yield "PNG Pillow something in the data", plain.replace(*_with_hidden_data(plain))
    source = encoders.file(plain, "png")
    yield "PNG OptiPNG interlaced", encoders.run("png", "optipng", "-q", "-i1", source, "-out", "OUT")
    described = ("-set", "comment", COMMENT)
    yield "PNG ImageMagick 16 bit", encoders.run("png", "convert-im6.q16", source, "-depth", "16", *described, "OUT")
    yield "PNG ImageMagick palette", encoders.run("png", "convert-im6.q16", source, "-colors", "16", *described, "OUT")


def _with_hidden_data(png: bytes) -> tuple[bytes, bytes]:
    at = png.index(b"IDAT")
    (length,) = struct.unpack_from(">I", png, at - 4)
    data = png[at + 4 : at + 4 + length]
    return png[at - 4 : at + 8 + length], png_chunk(b"IDAT", data + HIDDEN)


def _apng(encoders: Encoders) -> Iterator[tuple[str, bytes]]:
    for disposal in (0, 1, 2):
        for blend in (0, 1):
            yield (
                f"APNG Pillow disposal {disposal} blend {blend}",
                _animated("PNG", "RGBA", duration=[80, 120, 40, 90], disposal=disposal, blend=blend),
            )
    yield "APNG Pillow loop", _animated("PNG", "RGB", duration=70, loop=3)
    yield "APNG Pillow mixed", _animated("PNG", "RGBA", duration=70, disposal=[0, 1, 2, 0], blend=[0, 1, 0, 1])
    yield "APNG Pillow default image", _animated("PNG", "RGB", duration=70, default_image=True)
    yield "APNG apngasm", encoders.run("png", "apngasm", "OUT", *encoders.stills("RGBA"), "1", "10")


def _animated(kind: str, mode: str, **options: Any) -> bytes:
    first, *rest = frames(mode)
    return saved(first, kind, save_all=True, append_images=rest, **options)


def _jpeg(encoders: Encoders) -> Iterator[tuple[str, bytes]]:
    for mode in ("RGB", "L", "CMYK"):
        yield f"JPEG Pillow {mode}", saved(scene(mode), "JPEG", exif=exif(), comment=HIDDEN)
    for name, options in (
        ("progressive", {"progressive": True}),
        ("4:4:4", {"subsampling": 0}),
        ("quality 5", {"quality": 5}),
        ("restarts", {"restart_marker_blocks": 3}),
        ("density", {"dpi": (300, 300)}),
        ("colour profile", {"icc_profile": swapped_profile()}),
        ("XMP", {"xmp": XMP}),
    ):
        yield f"JPEG Pillow {name}", saved(scene(), "JPEG", exif=exif(), comment=HIDDEN, **options)
    for orientation in range(1, 9):
        yield f"JPEG Pillow turned {orientation}", saved(scene(), "JPEG", exif=exif(orientation))
    plain = saved(scene(), "JPEG")
    yield "JPEG Pillow several views", saved(scene(), "MPO", save_all=True, append_images=[scene(shift=3)])
    yield "JPEG Pillow something behind", plain + HIDDEN * 5000
    yield "JPEG Pillow whole", plain
    yield "JPEG Pillow without its end", plain[:-2]
    yield "JPEG Pillow thumbnails", _with_thumbnails(plain)
    bitmap = encoders.file(saved(scene(), "PPM"), "ppm")
    yield "JPEG cjpeg", encoders.run("jpg", "cjpeg", "-outfile", "OUT", bitmap)
    yield "JPEG cjpeg restarts", encoders.run("jpg", "cjpeg", "-restart", "2B", "-outfile", "OUT", bitmap)
    yield "JPEG cjpeg progressive", encoders.run("jpg", "cjpeg", "-progressive", "-outfile", "OUT", bitmap)
    yield "JPEG cjpeg arithmetic", encoders.run("jpg", "cjpeg", "-arithmetic", "-outfile", "OUT", bitmap)
    for name, script in (("one component a scan", ONE_COMPONENT), ("odd scans", ODD_SCANS)):
        scans, source = encoders.file(script, "scans"), encoders.file(plain, "jpg")
        for coding, options in (("", []), (" arithmetic", ["-arithmetic", "-restart", "1"])):
            command = ("jpegtran", *options, "-scans", scans, "-outfile", "OUT", source)
            yield f"JPEG jpegtran {name}{coding}", encoders.run("jpg", *command)
    yield "JPEG ImageMagick scans", encoders.run("jpg", "convert-im6.q16", bitmap, "-interlace", "JPEG", "OUT")
    yield "JPEG cjpeg grey", encoders.run("jpg", "cjpeg", "-grayscale", "-optimize", "-outfile", "OUT", bitmap)
    yield "JPEG ImageMagick", encoders.run("jpg", "convert-im6.q16", bitmap, "-set", "comment", COMMENT, "OUT")
    yield "JPEG ImageMagick 4:1:1", encoders.run("jpg", "convert-im6.q16", bitmap, "-sampling-factor", "4:1:1", "OUT")


def _with_thumbnails(jpeg: bytes) -> bytes:
    """In the JFIF segment, in its extension, and what Photoshop and others write."""

    def segment(marker: int, data: bytes) -> bytes:
        return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data

    jfif = b"JFIF\0\1\2\0\0\1\0\1" + bytes((7, 1)) + HIDDEN
    end = 4 + struct.unpack_from(">H", jpeg, 4)[0]
    more = [(0xE0, b"JFXX\0\x10"), (0xED, b"Photoshop 3.0\0"), (0xE2, b"MPF\0"), (0xEB, b"")]
    hiding = b"".join(segment(marker, name + HIDDEN) for marker, name in more)
    return jpeg[:2] + segment(0xE0, jfif) + hiding + jpeg[end:]


def _webp(encoders: Encoders) -> Iterator[tuple[str, bytes]]:
    told: dict[str, Any] = {"exif": exif(), "xmp": XMP}
    for mode in ("RGB", "RGBA"):
        yield f"WebP Pillow {mode}", saved(scene(mode), "WEBP", **told)
        yield f"WebP Pillow lossless {mode}", saved(scene(mode), "WEBP", lossless=True, **told)
    yield "WebP Pillow colour profile", saved(scene(), "WEBP", icc_profile=swapped_profile(), **told)
    for orientation in range(1, 9):
        yield f"WebP Pillow turned {orientation}", saved(scene(), "WEBP", exif=exif(orientation))
    yield "WebP Pillow animation", _animated("WEBP", "RGBA", duration=[80, 120, 40, 90], loop=2, exif=exif())
    yield "WebP Pillow something behind", saved(scene(), "WEBP") + HIDDEN * 5000
    opaque = encoders.file(saved(scene(), "PNG"), "png")
    clear = encoders.file(saved(scene("RGBA"), "PNG"), "png")
    for name, source, options in (
        ("plain", opaque, []),
        ("segments", opaque, ["-segments", "4", "-partition_limit", "50"]),
        ("alpha", clear, ["-alpha_q", "60"]),
        ("lossless", clear, ["-lossless"]),
    ):
        yield f"WebP cwebp {name}", encoders.run("webp", "cwebp", "-quiet", *options, source, "-o", "OUT")
    film = encoders.file(_animated("GIF", "RGB", duration=90, loop=0), "gif")
    yield "WebP gif2webp", encoders.run("webp", "gif2webp", "-quiet", "-mixed", film, "-o", "OUT")
    yield "WebP img2webp", encoders.run("webp", "img2webp", "-loop", "4", "-d", "70", *encoders.stills(), "-o", "OUT")


def _gif(encoders: Encoders) -> Iterator[tuple[str, bytes]]:
    plain = saved(scene("P"), "GIF", comment=HIDDEN)
    yield "GIF Pillow", plain
    yield "GIF Pillow transparent", saved(scene("P"), "GIF", transparency=3, comment=HIDDEN)
    yield "GIF Pillow interlaced", saved(scene("P"), "GIF", interlace=True)
    yield "GIF Pillow without its end", plain[:-1]
    yield "GIF Pillow something behind", plain + HIDDEN * 5000
    for disposal in (0, 1, 2, 3):
        yield f"GIF Pillow disposal {disposal}", _animated("GIF", "RGB", duration=[80, 120, 40, 90], disposal=disposal)
    for loop in (0, 3):
        yield f"GIF Pillow loop {loop}", _animated("GIF", "RGB", duration=70, loop=loop, comment=HIDDEN)
    film = encoders.file(_animated("GIF", "RGB", duration=90, loop=0), "gif")
    yield "GIF gifsicle", encoders.run("gif", "gifsicle", "-O3", "--comment", COMMENT, film, "-o", "OUT")
    yield (
        "GIF gifsicle few colours",
        encoders.run("gif", "gifsicle", "-O2", "-k", "4", "--loopcount=5", film, "-o", "OUT"),
    )
    stills = encoders.stills("RGBA")
    for disposal in ("none", "background", "previous"):
        yield (
            f"GIF ImageMagick {disposal}",
            encoders.run(
                "gif",
                "convert-im6.q16",
                "-delay",
                "8",
                "-dispose",
                disposal,
                *stills,
                "-set",
                "comment",
                COMMENT,
                "OUT",
            ),
        )


def _avif(encoders: Encoders) -> Iterator[tuple[str, bytes]]:
    opaque = encoders.file(saved(scene(), "PNG"), "png")
    clear = encoders.file(saved(scene("RGBA"), "PNG"), "png")
    told = ["--exif", encoders.file(exif().tobytes()[6:], "exif"), "--xmp", encoders.file(XMP, "xmp")]
    profile = ["--icc", encoders.file(swapped_profile(), "icc")]

    def encoded(*options: str, source: str = opaque) -> bytes:
        return encoders.run("avif", "avifenc", "-s", "8", *told, *options, source, "OUT")

    yield "AVIF Pillow", saved(scene(), "AVIF", exif=exif(), xmp=XMP)
    yield "AVIF Pillow alpha", saved(scene("RGBA"), "AVIF", exif=exif())
    yield "AVIF Pillow turned", saved(scene(), "AVIF", exif=exif(6))
    yield "AVIF Pillow animation", _animated("AVIF", "RGB", duration=90, exif=exif(), xmp=XMP)
    for depth in ("8", "10", "12"):
        yield f"AVIF avifenc {depth} bit", encoded("-d", depth)
    yield "AVIF avifenc alpha", encoded(source=clear)
    yield "AVIF avifenc colour profile", encoded(*profile)
    yield "AVIF avifenc Display P3", encoded("--cicp", "12/13/6")
    yield "AVIF avifenc PQ", encoded("--cicp", "9/16/9", "-d", "10")
    yield "AVIF avifenc turned", encoded("--irot", "1")
    yield "AVIF avifenc mirrored", encoded("--imir", "0")
    yield "AVIF avifenc lossless", encoded("-l")
    yield "AVIF avifenc limited range", encoded("-r", "limited", "-y", "420")
    yield "AVIF avifenc something behind", encoded() + HIDDEN * 5000
    yield "AVIF avifenc film", encoders.run("avif", "avifenc", "-s", "8", "--fps", "10", *encoders.stills(), "OUT")
