"""A conversation with a character: `make demo`.

It runs `python -m freechat_sdk chat` with the messages below, on the server that FREECHAT_HOST, FREECHAT_TOKEN and
FREECHAT_CHARACTER name, or on a sandbox of its own. At the end it takes the messages back.
"""

import io
import os
import sys

from freechat_sdk.__main__ import main
from freechat_sdk.sandbox import Sandbox

SECONDS_PER_WORD = 0.08
SCRIPT = """\
Nice to meet you!
Could you tell me what a stream is?
/again
/history
/undo
/undo
"""


def demo() -> int:
    """Hold the conversation. The exit status is 1 if the server cannot be used."""
    sys.stdin = io.StringIO(SCRIPT)
    if "FREECHAT_HOST" in os.environ:
        return main(["chat"])
    with Sandbox(delay=SECONDS_PER_WORD) as sandbox:
        os.environ.update(FREECHAT_HOST=sandbox.host, FREECHAT_TOKEN=sandbox.token)
        return main(["chat", sandbox.character.uid])


if __name__ == "__main__":
    sys.exit(demo())
