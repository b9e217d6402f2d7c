"""A recording with its cues, handwritten answers, and a server that speaks the OpenAI protocol."""

from __future__ import annotations

import copy
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import CaptureGuess, SourceTrack, SpatialCues
from spa2v_lib.layout.camera import Camera
from spa2v_lib.planning.acoustic import key_times
from spa2v_lib.planning.answer import Canvas

FRAMES = 20
RATE = 22_050


def track(name: str, label: str, start: float, end: float, motion: str) -> SourceTrack:
    """A source whose direction goes evenly from one azimuth to another."""
    azimuth = np.linspace(start, end, FRAMES)
    ones = [1.0] * FRAMES
    return SourceTrack(
        id=name,
        label=label,
        label_source="tagger",
        label_confidence=0.8,
        label_alternatives=[(label, 0.8), ("truck", 0.1)],
        azimuth_deg=azimuth.tolist(),
        azimuth_low_deg=(azimuth - 3).tolist(),
        azimuth_high_deg=(azimuth + 3).tolist(),
        level_db=[-20.0] * FRAMES,
        active=[True] * FRAMES,
        motion=motion,
        motion_confidence=0.9,
        motion_scores={motion: 1.0},
        azimuth_start_deg=start,
        azimuth_end_deg=end,
        level_change_db=0.3,
        relative_range=ones,
        relative_range_low=ones,
        relative_range_high=ones,
        closest_s=None if motion == "stationary" else 1.0,
        pitch_hz=[None] * FRAMES,
        pass_by=None,
    )


@pytest.fixture
def two_sources() -> SpatialCues:
    """A bus that crosses to the right, and a dog on the left; two seconds."""
    nothing = [0.0] * FRAMES
    return SpatialCues(
        recording="street.wav",
        duration_s=2.0,
        rate=RATE,
        channels=2,
        times_s=[0.05 + 0.1 * k for k in range(FRAMES)],
        capture=CaptureGuess(format="xy", confidence=0.9, note="made up"),
        ild_db=nothing,
        itd_s=nothing,
        coherence=[1.0] * FRAMES,
        level_db=[-20.0] * FRAMES,
        sources=[
            track("source-1", "bus", -35.0, 35.0, "right_crossing"),
            track("source-2", "dog", -25.0, -25.0, "stationary"),
        ],
        count_low=2,
        count_high=2,
        notes=["one note"],
    )


@pytest.fixture
def recording() -> Recording:
    """Two seconds: a tone on the left, a higher one, half as loud, on the right."""
    phase = 2 * np.pi * np.arange(2 * RATE) / RATE
    samples = np.stack([0.4 * np.sin(440 * phase), 0.2 * np.sin(880 * phase)])
    return Recording.from_samples(samples, RATE, "street.wav")


@pytest.fixture
def canvas(two_sources: SpatialCues) -> Canvas:
    """Five key frames, all of which are asked for."""
    times = tuple(key_times(2.0, 8.0, 2.0).tolist())
    return Canvas(two_sources, Camera(), 8.0, times, times)


@pytest.fixture
def cue_answer(canvas: Canvas) -> dict[str, Any]:
    """A good answer, written by hand, where code places the boxes."""
    return {
        "reasoning": "The bus sweeps to the right; the dog stays on the left.",
        "video_caption": "a bus drives past a barking dog",
        "background": "street",
        "sources": [
            {"id": "source-1", "label": "bus", "caption": "a red bus"},
            {"id": "source-2", "label": "dog", "caption": "a small dog"},
        ],
        "scenery": [{"label": "car", "caption": "a parked car", "side": "right"}],
        "frame_captions": [f"frame {k}" for k in range(len(canvas.asked_times_s))],
    }


@pytest.fixture
def box_answer(canvas: Canvas) -> dict[str, Any]:
    """A good answer, written by hand, where the model places the boxes."""
    frames = []
    for number, when in enumerate(canvas.asked_times_s):
        x = 0.05 + 0.15 * number
        bus = {"id": "source-1", "label": "bus", "caption": "a red bus", "visible": True}
        dog = {"id": "source-2", "label": "dog", "caption": "a small dog", "visible": True}
        boxes = [
            {**bus, "x0": x, "y0": 0.3, "x1": x + 0.2, "y1": 0.6},
            {**dog, "x0": 0.2, "y0": 0.6, "x1": 0.3, "y1": 0.7},
        ]
        frames.append({"time_s": round(when, 2), "caption": f"frame {number}", "boxes": boxes})
    return {
        "reasoning": "The bus sweeps to the right; the dog stays on the left.",
        "video_caption": "a bus drives past a barking dog",
        "background": "a city street",
        "frames": frames,
    }


class Script:
    """A backend that gives prepared answers in turn, and keeps what it was asked."""

    name, takes_audio, brief, limits = "script", False, False, None

    def __init__(self, *replies: Any) -> None:
        self.replies, self.asked = [_text(reply) for reply in replies], []
        self.parameters: dict[str, Any] = {"temperature": 0.5}

    def check(self) -> None:
        pass

    def ask(self, prompt: Any, schema: Any) -> str:
        self.asked.append(prompt)
        return self.replies.pop(0)


def _text(reply: Any) -> str:
    return reply if isinstance(reply, str) else json.dumps(copy.deepcopy(reply))


@pytest.fixture
def script() -> type[Script]:
    return Script


class Server:
    """Speaks as much of OpenAI's chat protocol, and of Gemini's, as the clients need, on loopback.

    ``replies`` are used in turn, the last one for ever: a text is what the model says, a number a
    status, "hang" and "drop" what they say, "noise" no reply of the protocol, "endless" one that
    never ends, a dict a whole reply of the protocol, and bytes a web page.
    """

    def __init__(self) -> None:
        self.replies: list[Any] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.complaint = "not today"
        self.headers: dict[str, str] = {}
        self.sent = 0
        self.ended = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"]))
        self.requests.append(json.loads(body))
        headers = request.headers
        self.keys.append(headers["authorization"] or headers["x-goog-api-key"])
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply == "hang":
            self.ended.wait(10)
        elif reply == "drop":
            request.connection.shutdown(socket.SHUT_RDWR)
        elif reply == "noise":
            self._send(request, 200, {"hello": "world"})
        elif reply == "endless":
            self._send_endlessly(request)
        elif isinstance(reply, bytes):
            self._send(request, 200, reply, "text/html")
        elif isinstance(reply, dict):
            self._send(request, 200, reply)
        elif isinstance(reply, int):
            self._send(request, reply, {"error": {"message": self.complaint, "type": "made_up"}})
        else:
            shape = _gemini if ":generateContent" in request.path else _completion
            self._send(request, 200, shape(reply))

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        body: Any,
        form: str = "application/json",
    ) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        request.send_header("content-type", form)
        request.send_header("content-length", str(len(data)))
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)

    def _send_endlessly(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("content-type", "application/json")
        request.end_headers()
        with suppress(OSError):
            while not self.ended.is_set():
                request.wfile.write(b'{"choices": [' + b" " * 65_536)
                self.sent += 65_536

    def close(self) -> None:
        self.ended.set()
        self.http.shutdown()
        self.http.server_close()


def _completion(text: str | None, finish: str = "stop", **said: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **said}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": "test",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def _gemini(text: str) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        "modelVersion": "test",
    }


@pytest.fixture
def completion() -> Callable[..., dict[str, Any]]:
    """Give a reply of OpenAI's protocol: ``completion(text, finish_reason, refusal=...)``."""
    return _completion


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def altered() -> Callable[..., dict[str, Any]]:
    """Give a copy of an answer with one value changed: ``altered(answer, value, *path)``."""

    def change(answer: dict[str, Any], value: Any, *path: Any) -> dict[str, Any]:
        changed = copy.deepcopy(answer)
        place: Any = changed
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        return changed

    return change
