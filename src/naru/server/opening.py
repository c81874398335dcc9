"""Where a request that may take its connection over ends, and the raw stream begins. Pure.

An HTTP parser reads on after a request, and would take a container's input for the next one. A
client need not wait for our answer before it sends that input, so the request must be cut out
of the bytes exactly. Only attach and exec start are looked at; everything else is the parser's.
"""

from __future__ import annotations

import re

_METHOD = b"POST /"
_HIJACKING = re.compile(
    rb"POST (?:/v[0-9.]+)?/(?:containers/[^/ ?]+/attach|exec/[^/ ?]+/start)(?:\?[^ ]*)? HTTP/1\.1\r\n"
)
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n")
_END_OF_HEAD = b"\r\n\r\n"
# Far above what clients send: a longer one is left to the parser, which has limits of its own.
LONGEST = 1 << 20


def may_open(data: bytes) -> bool:
    """Say whether `data`, which starts a request, may be one that takes its connection over."""
    return data.startswith(_METHOD) or _METHOD.startswith(data)


def request_length(data: bytes) -> int | None:
    """Return how many bytes the request at the start of `data` has, head and body.

    None means that more bytes are needed to tell; 0 that this request is an ordinary one.
    """
    if not may_open(data):
        return 0
    if b"\r\n" not in data:
        return None if len(data) < LONGEST else 0
    if _HIJACKING.match(data) is None:
        return 0
    end = data.find(_END_OF_HEAD)
    if end < 0:
        return None if len(data) < LONGEST else 0
    return _length_with_body(data, end + len(_END_OF_HEAD))


def _length_with_body(data: bytes, body: int) -> int | None:
    length = 0
    for line in data[:body].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        match name.lower():
            case b"content-length":
                if not value.strip().isdigit():
                    return 0
                length = int(value)
            case b"transfer-encoding":
                return _end_of_chunks(data, body) if value.strip().lower() == b"chunked" else 0
            case b"expect":
                # The client waits for 100 Continue, which the HTTP server sends.
                return 0
    if length > LONGEST:
        return 0
    return body + length if len(data) >= body + length else None


def _end_of_chunks(data: bytes, position: int) -> int | None:
    while position < min(len(data), LONGEST):
        size = _CHUNK_SIZE.match(data, position)
        if size is None:
            return None if b"\r\n" not in data[position:] else 0
        position = size.end() + int(size[1], 16) + 2
        if size[1].strip(b"0") == b"":
            # Trailers are nothing that clients of this API send.
            return position if len(data) >= position else None
    return None if len(data) < LONGEST else 0
