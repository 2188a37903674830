"""The files of characters: which kinds there are, where they are kept, and how many of them."""

from typing import NamedTuple

from freechat_sdk.sandbox._files import Files, path_of
from freechat_sdk.sandbox._resource import Call, Upload
from freechat_sdk.sandbox._store import Row, Store


class Kind(NamedTuple):
    """A kind of files."""

    name: str
    max_mib: int
    max_count: int
    label: str
    address: str
    is_private: bool = False


AVATAR = Kind("avatar", 1, 10, "Image", "image")
PICTURE = Kind("picture", 2, 10, "Image", "image")
DOCUMENT = Kind("document", 10, 5, "Document", "document", is_private=True)
VIDEO = Kind("video", 10, 5, "Video", "video")
VOICE = Kind("voice", 1, 1, "Voice", "audio", is_private=True)


class CharacterFiles:
    """The files of characters by kind and uid; those of a kind that can be fetched are kept for each user."""

    def __init__(self, store: Store) -> None:
        self._files = Files(store)

    def add(self, call: Call, kind: Kind, uid: str) -> str:
        """Store the file that was sent and return its key; the oldest files beyond the limit are deleted."""
        call.upload.refuse_above(kind.max_mib)
        folder = _folder(call, kind, uid)
        key = self._files.add(folder, call.upload)
        for row in self._files.find(folder)[: -kind.max_count - call.release.keeps_one_more_file]:
            self._files.delete(row["key"])
        return key

    def put(self, call: Call, kind: Kind, uid: str, upload: Upload) -> str:
        """Store a file under its own name and return its key."""
        return self._files.put(_folder(call, kind, uid), upload)

    def find(self, call: Call, kind: Kind, uid: str) -> list[Row]:
        """Return the files of a kind, the oldest first."""
        return self._files.find(_folder(call, kind, uid))

    def delete(self, key: str) -> bool:
        """Delete a file; true also for what never was."""
        self._files.delete(key)
        return True


def owner_uid(key: str) -> str:
    """Return the uid of the character that a file belongs to, or would belong to; nothing if it is not a key."""
    return path_of(key).rpartition("/")[0].rpartition("/")[2]


def _folder(call: Call, kind: Kind, uid: str) -> str:
    path = f"character/{kind.name}/{uid}"
    return path if kind.is_private else f"{call.caller.user_id}/{path}"
