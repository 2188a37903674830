"""Store: everything that lasts, in one SQLite database; Table: rows as JSON, found by the values of fields."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

Row = dict[str, Any]


class Store:
    """A database in memory or in a file; any thread may use it."""

    def __init__(self, path: str | None = None) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._copies: list[sqlite3.Connection] = []
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")

    def table(self, name: str, *indexed: str) -> "Table":
        """Return a table, made if there is none; `indexed` are the fields that it is mostly searched by."""
        self.run(
            f"CREATE TABLE IF NOT EXISTS {name} "
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, row TEXT NOT NULL, is_deleted INTEGER NOT NULL DEFAULT 0)"
        )
        for field in indexed:
            index = f"{name}_{field}"
            self.run(f"CREATE INDEX IF NOT EXISTS {index} ON {name} (json_extract(row, '$.{field}'))")
        return Table(self, name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other threads out; what has been changed is kept at the end.

        An exception undoes it, unless it has a true `keeps_changes`. A transaction within another is a part of it.
        """
        with self._lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._db.execute("BEGIN")
                yield
            except BaseException as error:
                if self._depth == 1:
                    self._db.execute("COMMIT" if getattr(error, "keeps_changes", False) else "ROLLBACK")
                raise
            else:
                if self._depth == 1:
                    self._db.execute("COMMIT")
            finally:
                self._depth -= 1

    def run(self, statement: str, *values: object) -> list[Any]:
        with self._lock, closing(self._db.execute(statement, values)) as cursor:
            return cursor.fetchall()

    def snapshot(self) -> sqlite3.Connection:
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        with self._lock:
            self._copies.append(copy)
            self._db.backup(copy)
        return copy

    def restore(self, copy: sqlite3.Connection) -> None:
        """Make the database what it was when the copy was made."""
        with self._lock:
            copy.backup(self._db)

    def close(self) -> None:
        with self._lock:
            for database in (self._db, *self._copies):
                database.close()


class Table:
    """Rows by id, in the order in which they were added. A row is a dict of JSON values; its `id` is the table's.

    Fields are found by equality; a field that a row lacks is None. A row that was deleted can still be seen by
    `deleted`, as servers remember whose some things were.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    def add(self, **fields: Any) -> int:
        rows = self._store.run(f"INSERT INTO {self._name} (row) VALUES (?) RETURNING id", _dumped(fields))  # noqa: S608
        return int(rows[0][0])

    def get(self, row_id: int) -> Row | None:
        return self.first(id=row_id)

    def first(self, **values: Any) -> Row | None:
        """Return the first row whose fields have values."""
        return next(iter(self._select(values, "LIMIT 1")), None)

    def find(self, **values: Any) -> list[Row]:
        """Return the rows whose fields have values, the oldest first."""
        return self._select(values)

    def count(self, **values: Any) -> int:
        return int(self._run(f"SELECT COUNT(*) FROM {self._name}", values)[0][0])  # noqa: S608

    def deleted(self, **values: Any) -> Row | None:
        """Return the first row that was deleted whose fields have values."""
        return next(iter(self._select(values, "LIMIT 1", is_deleted=True)), None)

    def update(self, row_id: int, **fields: Any) -> bool:
        """Change fields of a row; return whether there is one."""
        row = self.get(row_id)
        if row is not None:
            self._store.run(f"UPDATE {self._name} SET row = ? WHERE id = ?", _dumped({**row, **fields}), row_id)  # noqa: S608
        return row is not None

    def delete(self, row_id: int) -> bool:
        return bool(self.delete_where(id=row_id))

    def delete_where(self, **values: Any) -> list[int]:
        """Delete the rows whose fields have values, and return their ids."""
        return sorted(row[0] for row in self._run(f"UPDATE {self._name} SET is_deleted = 1", values, "RETURNING id"))  # noqa: S608

    def _select(self, values: Row, limit: str = "", *, is_deleted: bool = False) -> list[Row]:
        start = f"SELECT id, row FROM {self._name}"  # noqa: S608
        rows = self._run(start, values, f"ORDER BY id {limit}", is_deleted=is_deleted)
        return [{**json.loads(text), "id": row_id} for row_id, text in rows]

    def _run(self, start: str, values: Row, end: str = "", *, is_deleted: bool = False) -> list[Any]:
        """Run a statement on the rows whose fields have values."""
        wanted = [("id" if name == "id" else f"json_extract(row, '$.{name}')") + " IS ?" for name in values]
        condition = " AND ".join([f"is_deleted = {int(is_deleted)}", *wanted])
        return self._store.run(f"{start} WHERE {condition} {end}", *values.values())


def _dumped(fields: Row) -> str:
    return json.dumps({name: value for name, value in fields.items() if name != "id"}, ensure_ascii=False)
