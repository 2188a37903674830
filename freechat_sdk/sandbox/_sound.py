"""A short sound as an MP3 file (ISO 11172-3, layer III), which the standard library cannot write."""

_HEADER = bytes((0xFF, 0xFB, 0x10, 0xC4))
"""Of a frame: 32 kbit/s, 44.1 kHz, mono, no checksum."""
_FRAME_BYTES, _FRAMES = 104, 20
_LINE, _GAIN = 11, 201
"""The one line of the spectrum that sounds, about 440 Hz, and how loud."""


def sound() -> bytes:
    """Return half a second of a tone: equal frames, each with the side information and the spectra of two granules."""
    pairs = _LINE // 2 + 1
    spectrum = "1" * (pairs - 1) + "0010"
    tables, regions = f"{1:05b}" * 3, f"{2:04b}{0:03b}"
    granule = f"{len(spectrum):012b}{pairs:09b}{_GAIN:08b}{0:05b}{tables}{regions}{0:03b}"
    bits = (f"{0:018b}" + granule * 2 + spectrum * 2).ljust((_FRAME_BYTES - len(_HEADER)) * 8, "0")
    frame = _HEADER + int(bits, 2).to_bytes(_FRAME_BYTES - len(_HEADER), "big")
    return frame * _FRAMES
