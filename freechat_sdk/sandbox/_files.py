"""Files that were uploaded, found by their keys. A key is the last segment of the address that an upload answers."""

from base64 import b64decode, b64encode
from urllib.parse import quote

from freechat_sdk.sandbox._resource import Call, File, Upload, new_uid
from freechat_sdk.sandbox._store import Row, Store

_PRIVATE = "character/"
"""How the folders begin whose files nobody can fetch; those of others begin with the owner's id."""


class Files:
    """The files of a store; `folder` names what they belong to: `1/character/picture/<uid>`."""

    def __init__(self, store: Store) -> None:
        self._files = store.table("files", "key", "folder")

    def add(self, folder: str, upload: Upload) -> str:
        """Store a file under a name that no other has, and return its key."""
        return self.put(folder, Upload(f"{new_uid()}-{upload.name}", upload.media_type, upload.data))

    def put(self, folder: str, upload: Upload) -> str:
        """Store a file under its own name and return its key."""
        key = key_of(f"{folder}/{upload.name}")
        data = b64encode(upload.data).decode()
        self._files.add(key=key, folder=folder, name=upload.name, mediaType=upload.media_type, data=data)
        return key

    def find(self, folder: str) -> list[Row]:
        return self._files.find(folder=folder)

    def get(self, key: str) -> Row | None:
        return self._files.first(key=key)

    def delete(self, key: str) -> bool:
        """Delete a file; true also for what never was."""
        self._files.delete_where(key=key)
        return True

    def load(self, key: str) -> File | None:
        row = None if path_of(key).startswith(_PRIVATE) else self.get(key)
        return File(data_of(row), row["mediaType"]) if row else None


def key_of(path: str) -> str:
    return b64encode(path.encode()).decode()


def path_of(key: str) -> str:
    """Return the path of a key: its folder and its name; nothing if it is not a key."""
    try:
        return b64decode(key, validate=True).decode()
    except ValueError:
        return ""


def data_of(row: Row) -> bytes:
    return b64decode(row["data"])


def address(call: Call, kind: str, key: str) -> str:
    """Return where a file can be fetched: `kind` is `image`, `video` or `document`, which only web pages fetch."""
    return f"{call.host}/{'my' if kind == 'document' else 'public'}/{kind}/{quote(key, safe='=')}"
