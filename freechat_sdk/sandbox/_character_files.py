"""The files of characters: which kinds there are, where they are kept, and how many of them."""

from typing import NamedTuple

from freechat_sdk.sandbox._files import Files
from freechat_sdk.sandbox._resource import Call


class Kind(NamedTuple):
    """A kind of files."""

    name: str
    max_mib: int
    max_count: int
    label: str
    address: str
    is_private: bool = False

    def folder(self, call: Call, uid: str) -> str:
        """Return where the files of a character, or of a backend, are kept; those that can be fetched, by user."""
        path = f"character/{self.name}/{uid}"
        return path if self.is_private else f"{call.caller.user_id}/{path}"

    def add(self, files: Files, call: Call, uid: str) -> str:
        """Store the file that was sent and return its key; the oldest files beyond the limit are deleted."""
        call.upload.refuse_above(self.max_mib)
        key = files.add(self.folder(call, uid), call.upload)
        for row in files.find(self.folder(call, uid))[: -self.max_count - call.release.keeps_one_more_file]:
            files.delete(row["key"])
        return key


AVATAR = Kind("avatar", 1, 10, "Image", "image")
PICTURE = Kind("picture", 2, 10, "Image", "image")
DOCUMENT = Kind("document", 10, 5, "Document", "document", is_private=True)
VIDEO = Kind("video", 10, 5, "Video", "video")
VOICE = Kind("voice", 1, 1, "Voice", "audio", is_private=True)
KINDS = {"avatar": AVATAR, "pictures": PICTURE, "documents": DOCUMENT, "videos": VIDEO, "voices": VOICE}
"""The kinds by their folders in an archive."""
