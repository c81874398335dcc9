"""What users are told of a build while it goes on: the records of Docker's classic builder."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from typing import Any

from naru.ids import short_id

Record = dict[str, Any]
_STDERR = 2
_RED, _PLAIN = "\x1b[91m", "\x1b[0m"


class Progress:
    """Tells of one build. A quiet build keeps all to itself, unless it fails."""

    def __init__(self, report: Callable[[Record], object], *, step_count: int = 0) -> None:
        self._report = report
        self._step = 0
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}
        self.step_count = step_count

    def say(self, text: str) -> None:
        """Tell a piece of text."""
        self._report({"stream": text})

    def record(self, record: Record) -> None:
        """Pass on a record of other work, such as a pull."""
        self._report(record)

    def step(self, text: str) -> None:
        """Tell that the next step begins."""
        self._step += 1
        self.say(f"Step {self._step}/{self.step_count} : {text}")
        self.say("\n")

    def output(self, stream: int, data: bytes) -> None:
        """Tell what a command has printed; what it complains of is red, as Docker has it.

        A character may come in pieces, so `end_output` is to follow.
        """
        if stream not in self._decoders:
            self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        self._tell_output(stream, self._decoders[stream].decode(data))

    def end_output(self) -> None:
        """Tell what is left of a character that a command did not finish."""
        decoders, self._decoders = self._decoders, {}
        for stream, decoder in decoders.items():
            self._tell_output(stream, decoder.decode(b"", final=True))

    def _tell_output(self, stream: int, text: str) -> None:
        if text:
            self.say(f"{_RED}{text}{_PLAIN}" if stream == _STDERR else text)

    def warn(self, text: str) -> None:
        """Tell what users should mend some day."""
        self._tell_output(_STDERR, f"{text}\n")

    def image(self, image_id: str) -> None:
        """Tell what a step came to; nothing comes of `FROM scratch`."""
        self.say(f" ---> {short_id(image_id)}\n")

    def cached(self) -> None:
        """Tell that a step was done before."""
        self.say(" ---> Using cache\n")

    def running(self, container_id: str, warnings: Iterable[str]) -> None:
        """Tell which container a step runs in."""
        for warning in warnings:
            self.say(f" ---> [Warning] {warning}\n")
        self.say(f" ---> Running in {short_id(container_id)}\n")

    def removed(self, container_id: str) -> None:
        """Tell that a step's container is gone."""
        self.say(f" ---> Removed intermediate container {short_id(container_id)}\n")

    def triggers(self, count: int) -> None:
        """Tell that instructions of the image below come first."""
        self.say(f"# Executing {count} build trigger{'s' if count > 1 else ''}\n")

    def unused(self, names: list[str]) -> None:
        """Warn of arguments that were given for nothing."""
        if names:
            words = " ".join(names)
            self.say(f"[Warning] One or more build-args [{words}] were not consumed\n")

    def result(self, image_id: str) -> None:
        """Tell programs what a stage came to."""
        self._report({"aux": {"ID": image_id}})
