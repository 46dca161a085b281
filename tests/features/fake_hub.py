"""A server that answers like the Hugging Face hub, from folders on disk, for the real client to talk to."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Handler(BaseHTTPRequestHandler):
    root: Path
    asked: list[str]
    gated: tuple[str, ...]
    never: threading.Event | None

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.asked.append(path)
        if self.never is not None:
            self.never.wait(60)
            return
        if path.startswith("/api/models/"):
            self._describe(path.removeprefix("/api/models/"))
        else:
            name, _, file = path.removeprefix("/").partition(f"/resolve/{COMMIT}/")
            self._send_file(name, self.root / name / file)

    def _describe(self, path: str) -> None:
        name = "/".join(path.split("/")[:2])
        folder = self.root / name
        if not folder.is_dir():
            return self._send(401, b"{}", {"X-Error-Code": "RepoNotFound"})
        files = [
            {"type": "file", "path": str(one.relative_to(folder)), "size": one.stat().st_size, "oid": _sha(one)[:40]}
            for one in sorted(folder.rglob("*"))
            if one.is_file()
        ]
        told = files if "/tree/" in path else {"id": name, "sha": COMMIT, "siblings": []}
        return self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _send_file(self, name: str, path: Path) -> None:
        if name in self.gated:
            return self._send(403, b"{}", {"X-Error-Code": "GatedRepo"})
        if not path.is_file():
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        return self._send(200, path.read_bytes(), {"ETag": f'"{_sha(path)}"', "X-Repo-Commit": COMMIT})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def fake_hub(root: Path, gated: tuple[str, ...] = (), answers: bool = True) -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a hub that has the repositories ``root/owner/name``, and the list of what it is asked."""
    asked: list[str] = []
    never = None if answers else threading.Event()
    handler = type("Handler", (_Handler,), {"root": root, "asked": asked, "gated": gated, "never": never})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        if never is not None:
            never.set()
        server.shutdown()
        server.server_close()
