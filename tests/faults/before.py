"""Faults before the headers of the answer have come."""

from __future__ import annotations

from faults import places
from faults.raw_server import GOOD, Act, Drip, Flood
from faults.rows import IMPATIENT, ONCE, Row
from faults.wire import chunked, events, head

from cometgem import APIConnectionError, APITimeoutError, Timeouts
from cometgem.testing import Reply

__all__ = ["BEFORE"]

_SSE = head("Transfer-Encoding: chunked")
_WHOLE = _SSE + chunked(events(3, finish="STOP")) + b"0\r\n\r\n"
_TEXTS = ("text 0 ", "text 1 ", "text 2 ")
_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"

BEFORE = [
    Row(
        when="nothing listens at the base URL",
        at=places.nothing,
        error=APIConnectionError,
        says="refused",
        requests=0,
        reused=None,
        calls="both",
    ),
    Row(
        when="the host name is unknown",
        at=places.unknown_host,
        error=APIConnectionError,
        says="the host name was not found",
        requests=0,
        reused=None,
        calls="both",
    ),
    Row(
        when="the server's certificate is of an unknown authority",
        at=places.unknown_certificate,
        error=APIConnectionError,
        says="the certificate was not accepted",
        requests=0,
        reused=None,
        calls="both",
    ),
    Row(
        when="no TLS is spoken at an https URL",
        at=places.no_tls,
        error=APIConnectionError,
        says="TLS failed",
        requests=0,
        reused=None,
        calls="both",
    ),
    Row(
        when="the TLS handshake is never answered",
        at=places.no_handshake,
        client={"timeouts": Timeouts(connect=0.2)},
        error=APITimeoutError,
        fields={"phase": "connect"},
        says="no connection within 0.2 s",
        requests=0,
        reused=None,
        calls="both",
    ),
    Row(
        when="the connection is reset as soon as it is made",
        serves=((Act.UNREAD, Act.RESET),) * 3,
        error=APIConnectionError,
        says="no response from",
        requests=0,
        calls="both",
    ),
    Row(
        when="the connection is closed as soon as it is made",
        serves=((Act.UNREAD, Act.CLOSE),) * 3,
        error=APIConnectionError,
        says="no response from",
        requests=0,
        calls="both",
    ),
    Row(
        when="the connection is reset instead of an answer",
        serves=(Reply.reset(),) * 3,
        error=APIConnectionError,
        says="the connection was closed before the answer came",
        requests=3,
        calls="both",
    ),
    Row(
        when="the connection is closed instead of an answer",
        serves=((Act.CLOSE,),) * 3,
        error=APIConnectionError,
        says="the connection was closed before the answer came",
        requests=3,
        calls="both",
    ),
    Row(
        when="the connection is closed in the middle of the headers",
        serves=((_SSE[:40], Act.CLOSE),) * 3,
        error=APIConnectionError,
        says="the connection was closed before the answer came",
        requests=3,
        calls="both",
    ),
    Row(
        when="the request is never answered",
        serves=(Reply.silence(),),
        client={"timeouts": IMPATIENT},
        error=APITimeoutError,
        fields={"phase": "first_chunk"},
        calls="both",
    ),
    Row(
        when="headers drip in, byte by byte, to their end",
        serves=((Drip(_SSE, 0.001), _WHOLE.removeprefix(_SSE)),),
        texts=_TEXTS,
        reused=True,
        calls="both",
    ),
    Row(
        when="headers drip in, byte by byte, and never end",
        serves=((head()[:-2], Drip(b"x" * 4000, 0.02)),),
        client={"timeouts": IMPATIENT},
        error=APITimeoutError,
        fields={"phase": "first_chunk"},
        calls="both",
    ),
    Row(
        when="headers never end, as fast as the line can",
        serves=((head()[:-2], Flood(b"X-Filler: x\r\n" * 100, 100_000)),) * 3,
        error=APIConnectionError,
        says="the server's response is not valid HTTP",
        requests=3,
        calls="both",
        grows=8.0,
    ),
    Row(
        when="one header never ends, as fast as the line can",
        serves=((head()[:-2] + b"X-Filler: ", Flood(b"x" * 1000, 100_000)),) * 3,
        error=APIConnectionError,
        says="the server's response is not valid HTTP",
        requests=3,
        calls="both",
        grows=8.0,
    ),
    Row(
        when="the server speaks another protocol",
        serves=((b"Welcome to the night shift\r\n\r\nlogin: ", Act.SILENCE),) * 3,
        error=APIConnectionError,
        says="the server's response is not valid HTTP",
        requests=3,
        calls="both",
    ),
    Row(
        when="other answers with a status of 1xx come before the answer",
        serves=((b"HTTP/1.1 100 Continue\r\n\r\n", _HINTS, _HINTS, _WHOLE),),
        texts=_TEXTS,
        reused=True,
        calls="both",
    ),
    Row(
        when="a connection that had served before is closed instead of an answer",
        serves=(GOOD, (Act.CLOSE,), (_WHOLE,)),
        after_a_call=True,
        client={"retry": ONCE},
        texts=_TEXTS,
        requests=2,
        reused=True,
        calls="both",
    ),
    Row(
        when="a connection that had served before is reset instead of an answer",
        serves=(GOOD, (Act.RESET,), (_WHOLE,)),
        after_a_call=True,
        client={"retry": ONCE},
        texts=_TEXTS,
        requests=2,
        reused=True,
        calls="both",
    ),
    Row(
        when="a connection that had served before is closed, and so is the new one",
        serves=(GOOD, (Act.CLOSE,), (Act.CLOSE,)),
        after_a_call=True,
        client={"retry": ONCE},
        error=APIConnectionError,
        says="the connection was closed before the answer came",
        requests=2,
        calls="both",
    ),
    Row(
        when="a connection that had served before is closed in the middle of the headers",
        serves=(GOOD, (_SSE[:40], Act.CLOSE)),
        after_a_call=True,
        client={"retry": ONCE},
        error=APIConnectionError,
        says="the connection was closed before the answer came",
        calls="both",
    ),
]
