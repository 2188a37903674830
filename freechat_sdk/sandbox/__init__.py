"""A FreeChat server for trying out and testing: on this machine, without a key, a network or a model.

    from freechat_sdk import ApiClient, ChatApi, ChatCreateDTO, Configuration
    from freechat_sdk.sandbox import Sandbox

    with Sandbox() as sandbox, ApiClient(Configuration(sandbox.host, access_token=sandbox.token)) as client:
        chat = ChatApi(client).start_chat(ChatCreateDTO(character_uid=sandbox.character.uid))

It speaks real HTTP, keeps what is said (in memory or in a file), streams its answers token by token, and answers like
recorded servers of three releases, down to status codes, headers and empty bodies.
It needs werkzeug and pystache, which `pip install ".[sandbox]"` in a checkout of this project installs along with the
client.
On the command line: `python -m freechat_sdk.sandbox`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from freechat_sdk.sandbox._faults import Busy as Busy
    from freechat_sdk.sandbox._faults import CloseDelimited as CloseDelimited
    from freechat_sdk.sandbox._faults import Cut as Cut
    from freechat_sdk.sandbox._faults import Fault as Fault
    from freechat_sdk.sandbox._faults import Garbage as Garbage
    from freechat_sdk.sandbox._faults import Gzip as Gzip
    from freechat_sdk.sandbox._faults import Html as Html
    from freechat_sdk.sandbox._faults import ModelFails as ModelFails
    from freechat_sdk.sandbox._faults import QuotaUsedUp as QuotaUsedUp
    from freechat_sdk.sandbox._faults import Reset as Reset
    from freechat_sdk.sandbox._faults import Slow as Slow
    from freechat_sdk.sandbox._faults import SlowFirstToken as SlowFirstToken
    from freechat_sdk.sandbox._faults import Stall as Stall
    from freechat_sdk.sandbox._faults import Status as Status
    from freechat_sdk.sandbox._journal import JournalEntry as JournalEntry
    from freechat_sdk.sandbox._sandbox import Character as Character
    from freechat_sdk.sandbox._sandbox import Sandbox as Sandbox
    from freechat_sdk.sandbox._sandbox import Snapshot as Snapshot
    from freechat_sdk.sandbox.completions import Completion as Completion
    from freechat_sdk.sandbox.completions import Message as Message
    from freechat_sdk.sandbox.completions import ModelError as ModelError
    from freechat_sdk.sandbox.completions import Prompt as Prompt
    from freechat_sdk.sandbox.completions import Usage as Usage
    from freechat_sdk.sandbox.completions.echo import echo as echo
    from freechat_sdk.sandbox.completions.forward import forward as forward

_HOMES = {
    "Busy": "_faults",
    "Character": "_sandbox",
    "CloseDelimited": "_faults",
    "Completion": "completions",
    "Cut": "_faults",
    "Fault": "_faults",
    "Garbage": "_faults",
    "Gzip": "_faults",
    "Html": "_faults",
    "JournalEntry": "_journal",
    "Message": "completions",
    "ModelError": "completions",
    "ModelFails": "_faults",
    "Prompt": "completions",
    "QuotaUsedUp": "_faults",
    "Reset": "_faults",
    "Sandbox": "_sandbox",
    "Slow": "_faults",
    "SlowFirstToken": "_faults",
    "Snapshot": "_sandbox",
    "Stall": "_faults",
    "Status": "_faults",
    "Usage": "completions",
    "echo": "completions.echo",
    "forward": "completions.forward",
}
"""Each public name is loaded when it is first used, so that importing the package needs no extra."""
__all__ = sorted(_HOMES)  # noqa: PLE0605
_REQUIREMENTS = {"pystache": "pystache>=0.6.8,<1", "werkzeug": "werkzeug>=3.0.6,<4"}
"""What the extra `sandbox` installs."""


if not TYPE_CHECKING:  # otherwise a type checker would accept any name

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in _REQUIREMENTS:
                raise
            every = " ".join(f'"{requirement}"' for requirement in _REQUIREMENTS.values())
            message = f"The sandbox needs {missing}, which is not installed. Run: pip install {every}"
            raise ImportError(message, name=missing) from None
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
