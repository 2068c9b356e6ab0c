"""From the model to the browser: encoders of formats, and relays that serve them.

Needs no web framework: a `Relay` is an ASGI application and an async iterator of bytes.
"""

from cometgem.errors import BadMessagesError
from cometgem.web.ag_ui import AGUIEncoder
from cometgem.web.ag_ui_messages import answers_from_ag_ui, contents_from_ag_ui
from cometgem.web.encoder import Encoder
from cometgem.web.log import Log, MemoryLog
from cometgem.web.named_events import EventEncoder
from cometgem.web.native import NativeEncoder
from cometgem.web.redis_log import RedisLog
from cometgem.web.refusals import Refusal, refusal
from cometgem.web.relay import Relay
from cometgem.web.respond import aiohttp_response, django_response, quart_response, respond
from cometgem.web.runs import Runs
from cometgem.web.text import TextEncoder
from cometgem.web.ui_message import UIMessageEncoder
from cometgem.web.ui_messages import answers_from_ui_messages, contents_from_ui_messages
from cometgem.web.viewer import Viewer

__all__ = [
    "AGUIEncoder",
    "BadMessagesError",
    "Encoder",
    "EventEncoder",
    "Log",
    "MemoryLog",
    "NativeEncoder",
    "RedisLog",
    "Refusal",
    "Relay",
    "Runs",
    "TextEncoder",
    "UIMessageEncoder",
    "Viewer",
    "aiohttp_response",
    "answers_from_ag_ui",
    "answers_from_ui_messages",
    "contents_from_ag_ui",
    "contents_from_ui_messages",
    "django_response",
    "quart_response",
    "refusal",
    "respond",
]
