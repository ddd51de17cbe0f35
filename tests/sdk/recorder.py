#!/usr/bin/env python3
"""A recording reverse proxy: stands before the upstream emulator and writes down what reached it.

    recorder.py --listen 127.0.0.1:0 --upstream 127.0.0.1:4010 --log FILE --port-file FILE [--decoy HOST:PORT]

Emulators redact the Authorization header in their own journals, so what key arrived is recorded here: one JSON line
for each request, written when it ends, with its headers, its body and how it ended ("complete", "caller_left",
"upstream_cut"). Without --upstream it is a decoy: it records and answers 404.

A request whose model begins with "scripted-" never reaches the emulator; SCRIPTED below answers it with a
misbehaviour that emulators lack. So do /v1/completions and Anthropic's token counts, which the emulator does not speak.
"""
import argparse
import asyncio
import base64
import contextlib
import json
import pathlib
import socket
import struct
import time

# How often a waiting exchange looks whether its caller has hung up.
CALLER_POLL_S = 0.005
# So much of a JSON body is written down as such: a coding agent's instructions and tools are 90 kB.
MOST_JSON_BYTES = 1 << 18


class CallerLeft(Exception):
    """The gateway closed its connection before the answer was whole."""


async def main():
    args = parse_args()
    recorder = Recorder(args)
    host, port = args.listen.rsplit(":", 1)
    server = await asyncio.start_server(recorder.serve, host, int(port), limit=1 << 20)
    bound = server.sockets[0].getsockname()[1]
    partial = pathlib.Path(args.port_file + ".partial")
    partial.write_text(str(bound))
    partial.rename(args.port_file)
    async with server:
        await server.serve_forever()


class Recorder:
    def __init__(self, args):
        self.upstream, self.decoy = args.upstream, args.decoy
        self.log = open(args.log, "a", buffering=1)
        # A byte for each request that began, so that a test can tell whether an earlier one is still to be written down.
        self.begun = open(args.log + ".begun", "ab", buffering=0)

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while (request := await read_request(reader)) is not None:
                if not await self.exchange(request, reader, writer):
                    break
        writer.close()

    async def exchange(self, request, reader, writer):
        """Answers one request and records it; true when the connection can carry another."""
        started, outcome = time.time(), "complete"
        self.begun.write(b".")
        answer = asyncio.create_task(self.answer(request, writer))
        try:
            while not answer.done():
                await asyncio.wait({answer}, timeout=CALLER_POLL_S)
                if not answer.done() and (reader.at_eof() or reader.exception()):
                    raise CallerLeft
            return answer.result()
        except (CallerLeft, ConnectionError):
            outcome = "caller_left"
            return False
        except UpstreamCut:
            outcome = "upstream_cut"
            return False
        finally:
            answer.cancel()
            ended = time.time()
            record = dict(request.record(), outcome=outcome, started=started, ended=ended)
            self.log.write(json.dumps(record) + "\n")

    async def answer(self, request, writer):
        script = SCRIPTED.get(request.model) or SCRIPTED.get(request.path)
        if script:
            await script(self, request, writer)
            return False
        if self.upstream is None:
            await send_json(writer, 404, {"error": {"message": "this is the decoy; nothing may come here"}})
            return False
        return await self.forward(request, writer)

    async def forward(self, request, writer):
        host, port = self.upstream.rsplit(":", 1)
        up_reader, up_writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
        try:
            kept = [(k, v) for k, v in request.headers if k.lower() not in HOP_BY_HOP]
            kept += [("Connection", "close"), ("Content-Length", str(len(request.body)))]
            head = f"{request.method} {request.target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in kept)
            up_writer.write(head.encode("latin-1") + b"\r\n" + request.body)
            return await relay_answer(up_reader, writer)
        finally:
            up_writer.close()


class UpstreamCut(Exception):
    """The emulator's answer ended before its framing said so."""


HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "keep-alive", "expect"}


async def relay_answer(reader, writer):
    """Passes one answer on as it comes; true when its end is known without closing the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(x.strip() for x in line.split(":", 1)) for line in lines[1:] if ":" in line]
        framing = {k.lower(): v for k, v in headers}
        passed = [f"{k}: {v}" for k, v in headers if k.lower() not in ("connection", "keep-alive")]
        writer.write(("\r\n".join([lines[0], *passed]) + "\r\n\r\n").encode("latin-1"))
        await writer.drain()
        if "chunked" in framing.get("transfer-encoding", ""):
            while True:
                size = await reader.readuntil(b"\r\n")
                chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
                writer.write(size + chunk)
                await writer.drain()
                if chunk == b"\r\n":
                    return True
        left = int(framing.get("content-length", 0))
        while left:
            piece = await reader.read(min(left, 65536))
            if not piece:
                raise asyncio.IncompleteReadError(piece, left)
            left -= len(piece)
            writer.write(piece)
            await writer.drain()
        return True
    except asyncio.IncompleteReadError as e:
        raise UpstreamCut from e


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.path = target.split("?")[0]
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None
        self.model = self.json.get("model") if isinstance(self.json, dict) else None

    def record(self):
        out = {"method": self.method, "path": self.target, "headers": self.headers, "body_bytes": len(self.body)}
        if self.json is not None and len(self.body) < MOST_JSON_BYTES:
            out["json"] = self.json
        else:
            out["body_base64"] = base64.b64encode(self.body[:65536]).decode()
        return out


async def read_request(reader):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = [tuple(x.strip() for x in line.split(":", 1)) for line in lines[1:] if line]
    framing = {k.lower(): v for k, v in headers}
    if "chunked" in framing.get("transfer-encoding", ""):
        body = b""
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            body += (await reader.readexactly(size + 2))[:-2]
            if size == 0:
                break
    else:
        body = await reader.readexactly(int(framing.get("content-length", 0)))
    return Request(method, target, headers, body)


async def send(writer, status, content_type, body, extra=()):
    head = [f"HTTP/1.1 {status} Scripted", f"content-type: {content_type}", f"content-length: {len(body)}",
            "connection: close", *extra]
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode() + body)
    await writer.drain()


async def send_json(writer, status, value):
    await send(writer, status, "application/json", json.dumps(value).encode())


async def redirect(recorder, request, writer):
    """A provider that points elsewhere: the key must not follow."""
    await send(writer, 307, "text/plain", b"", [f"location: http://{recorder.decoy}{request.target}"])


async def hang(recorder, request, writer):
    """A provider that took the request and never says a word."""
    await asyncio.sleep(600)


async def reset(recorder, request, writer):
    """A provider that dies before its first byte."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def html_502(recorder, request, writer):
    """A load balancer's own error page in the provider's place."""
    await send(writer, 502, "text/html", b"<html><body><h1>502 Bad Gateway</h1></body></html>")


async def odd_sse(recorder, request, writer):
    """A stream that is legal and rare: CRLF, comments, no space after the colon, one byte a write inside a character."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: warming up\r\n\r\n")
    event = {"id": "chatcmpl-odd", "object": "chat.completion.chunk", "created": 1, "model": "scripted-odd-sse"}
    for text in ("caf\u00e9 ", "\U0001f600", " done"):
        delta = dict(event, choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])
        for byte in f"data:{json.dumps(delta, ensure_ascii=False)}\r\n\r\n: still here\r\n".encode():
            writer.write(bytes([byte]))
            await writer.drain()
            if byte > 127:
                await asyncio.sleep(0.002)
    last = dict(event, choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    writer.write(f"data:{json.dumps(last)}\r\n\r\n".encode())
    if (request.json.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        writer.write(f"data:{json.dumps(dict(event, choices=[], usage=usage))}\r\n\r\n".encode())
    writer.write(b"data: [DONE]\r\n\r\n")
    await writer.drain()


async def completions(recorder, request, writer):
    """The legacy endpoint, which the emulator does not have."""
    base = {"id": "cmpl-scripted", "object": "text_completion", "created": 1, "model": request.model}
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    words = ["once ", "upon ", "a time"]
    if not request.json.get("stream"):
        choice = {"index": 0, "text": "".join(words), "finish_reason": "stop", "logprobs": None}
        await send_json(writer, 200, dict(base, choices=[choice], usage=usage))
        return
    events = [dict(base, choices=[{"index": 0, "text": w, "finish_reason": None, "logprobs": None}]) for w in words]
    if (request.json.get("stream_options") or {}).get("include_usage"):
        events.append(dict(base, choices=[], usage=usage))
    body = "".join(f"data: {json.dumps(e)}\n\n" for e in events) + "data: [DONE]\n\n"
    await send(writer, 200, "text/event-stream", body.encode())


async def overloaded(recorder, request, writer):
    """Anthropic's own status for too little room, with its headers."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_ant_1"}
    await send(writer, 529, "application/json", json.dumps(error).encode(),
               ["request-id: req_ant_1", "x-should-retry: true"])


async def overloaded_in_stream(recorder, request, writer):
    """An error within a 200, after the first words."""
    usage = {"input_tokens": 3, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": request.model,
               "stop_reason": None, "stop_sequence": None, "usage": usage}
    events = [{"type": "message_start", "message": message},
              {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
              {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
              {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}]
    body = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
    await send(writer, 200, "text/event-stream", body.encode())


async def cached(recorder, request, writer):
    """An answer whose input came out of a cache for the most part."""
    writes = {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30}
    usage = {"input_tokens": 10, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 50,
             "cache_creation": writes, "output_tokens": 5}
    await send_json(writer, 200, {"id": "msg_1", "type": "message", "role": "assistant", "model": request.model,
                                  "content": [{"type": "text", "text": "cached"}], "stop_reason": "end_turn",
                                  "stop_sequence": None, "usage": usage})


async def count_tokens(recorder, request, writer):
    """Anthropic's count, which the emulator does not have: a token a word."""
    words = sum(len(m["content"].split()) for m in request.json["messages"])
    await send_json(writer, 200, {"input_tokens": words})


SCRIPTED = {
    "scripted-529": overloaded,
    "scripted-529-in-stream": overloaded_in_stream,
    "scripted-cached": cached,
    "/v1/messages/count_tokens": count_tokens,
    "scripted-redirect": redirect,
    "scripted-hang": hang,
    "scripted-reset": reset,
    "scripted-html-502": html_502,
    "scripted-odd-sse": odd_sse,
    "/v1/completions": completions,
}


def parse_args():
    p = argparse.ArgumentParser()
    p.add_argument("--listen", default="127.0.0.1:0")
    p.add_argument("--upstream")
    p.add_argument("--decoy")
    p.add_argument("--log", required=True)
    p.add_argument("--port-file", required=True)
    return p.parse_args()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
