"""A model server on loopback whose answers are the test's choice, for whole runs through the real wiring."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

Said = tuple[int, bytes]


@dataclass
class ScriptedModel:
    """`answer` gets the number of the request, from 1, and its body; `requests` are the bodies."""

    answer: Callable[[int, dict[str, Any]], Said]
    requests: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""

    def respond(self, body: bytes) -> Said:
        request = json.loads(body)
        self.requests.append(request)
        return self.answer(len(self.requests), request)


@contextmanager
def scripted(answer: Callable[[int, dict[str, Any]], Said]) -> Iterator[ScriptedModel]:
    """A server that serves while the block runs."""
    model = ScriptedModel(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, body = model.respond(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    model.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def said(text: str, **changes: Any) -> Said:
    """A 200 of the Responses API."""
    message = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    usage = {"input_tokens": 700, "output_tokens": 30}
    return 200, json.dumps({"output": [message], "usage": usage} | changes).encode()


def local_list(folder: Path, count: int) -> Path:
    """An input CSV of different posters in files."""
    lines = ["id,image"]
    for number in range(1, count + 1):
        path = folder / f"{number}.png"
        picture = Image.new("RGB", (60, 90), (number * 37 % 256, number * 91 % 256, number // 256))
        picture.save(path)
        lines.append(f"p{number},{path}")
    table = folder / "list.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table
