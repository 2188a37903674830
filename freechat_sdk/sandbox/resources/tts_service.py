"""TTSServiceApi: messages read aloud. Whoever speaks, and whatever is said, it is the same short sound."""

from freechat_sdk.sandbox._resource import Call, File, Refused, own_or_refuse
from freechat_sdk.sandbox._sound import sound
from freechat_sdk.sandbox._store import Row, Store

_SPEAKERS = """
Claribel Dervla, Daisy Studious, Gracie Wise, Tammie Ema, Alison Dietlinde, Ana Florence, Annmarie Nele, Asya Anara,
Brenda Stern, Gitta Nikolina, Henriette Usha, Sofia Hellen, Tammy Grit, Tanja Adelina, Vjollca Johnnie, Andrew Chipper,
Badr Odhiambo, Dionisio Schuyler, Royston Min, Viktor Eka, Abrahan Mack, Adde Michal, Baldur Sanjin, Craig Gutsy,
Damien Black, Gilberto Mathias, Ilkin Urbano, Kazuhiko Atallah, Ludvig Milivoj, Suad Qasim, Torcull Diarmuid,
Viktor Menelaos, Zacharie Aimilios, Nova Hogarth, Maja Ruoho, Uta Obando, Lidiya Szekeres, Chandra MacFarland,
Szofi Granger, Lilya Stainthorpe, Zofija Kendrick, Narelle Moon, Barbora MacLean, Alexandra Hisakawa, Rosemary Okafor,
Ige Behringer, Filip Traverse, Damjan Chapman, Wulf Carlevaro, Aaron Dreschner, Kumar Dahl, Ferran Simen,
Xavier Hayasaka, Luis Moray, Marcos Rudaski
"""
_SPOKEN = File(sound(), "audio/mpeg")


class TTSService:
    """Voices; a message that could not be spoken once never can be, as servers remember the failure."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._failures = store.table("speech", "messageId")
        self._messages = store.table("messages", "chatId")
        self._chats = store.table("chats", "chatId", "username")
        self._backends = store.table("backends", "backendId", "characterUid")

    def list_tts_builtin_speakers(self, call: Call) -> list[str]:
        return [name.strip() for name in _SPEAKERS.split(",")]

    def play_sample(self, call: Call, speaker_type: str, speaker: str) -> File:
        return _SPOKEN

    def speak_message(self, call: Call, message_id: int) -> File:
        with self._store.transaction():
            chat = own_or_refuse(call, self._chat(message_id))
            can_speak = self._can_speak(chat, message_id)
        if not can_speak:
            raise Refused(500)
        return _SPOKEN

    def _chat(self, message_id: int) -> Row | None:
        message = self._messages.get(message_id)
        return self._chats.first(chatId=message["chatId"]) if message else None

    def _can_speak(self, chat: Row | None, message_id: int) -> bool:
        """Return whether the backend has a speaker now and had one when the message was first asked for."""
        if chat is None or self._failures.count(messageId=message_id):
            return False
        backend = self._backends.first(backendId=chat["backendId"]) or {}
        has_speaker = bool(backend.get("ttsSpeakerIdx") or backend.get("ttsSpeakerWav"))
        if not has_speaker:
            self._failures.add(messageId=message_id)
        return has_speaker
