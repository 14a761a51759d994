# SPDX-License-Identifier: GPL-2.0-or-later
"""A QMP client on a unix socket; each wait has a deadline."""
import json
import socket
import time


class QmpError(Exception):
    """The answer was an error, or none came."""


class QmpSilent(QmpError):
    """No answer came."""


class Qmp:
    def __init__(self, path, timeout=30, start=None):
        """start() is called when the connection stands, and begins what is to greet us."""
        deadline = time.monotonic() + timeout
        self.timeout = timeout
        self.events = []
        self._rest = b""
        while True:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._socket.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                self._socket.close()
                if time.monotonic() > deadline:
                    raise QmpError(f"nobody listens at {path}") from None
                time.sleep(0.02)
        if start:
            start()
        if self._message(deadline) is None:
            raise QmpSilent(f"no greeting in {timeout} s")
        self.command("qmp_capabilities")

    def close(self):
        self._socket.close()

    def _message(self, deadline):
        """The next message; None at the deadline."""
        while b"\n" not in self._rest:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                received = self._socket.recv(65536)
            except TimeoutError:
                return None
            if not received:
                raise QmpError("the monitor has hung up")
            self._rest += received
        line, self._rest = self._rest.split(b"\n", 1)
        return json.loads(line)

    def command(self, name, **arguments):
        """What "return" holds.  An underscore in an argument's name stands for a hyphen."""
        request = {"execute": name}
        if arguments:
            request["arguments"] = {key.replace("_", "-"): value
                                    for key, value in arguments.items()}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + self.timeout
        while True:
            message = self._message(deadline)
            if message is None:
                raise QmpSilent(f"{name}: no answer in {self.timeout} s")
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise QmpError(f"{name}: {message['error']['desc']}")
            else:
                return message["return"]

    def event(self, name, timeout, **data):
        """The next event called name whose data has these members; None at the deadline."""
        deadline = time.monotonic() + timeout
        checked = 0
        while True:
            for index in range(checked, len(self.events)):
                event = self.events[index]
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    return self.events.pop(index)
            checked = len(self.events)
            message = self._message(deadline)
            if message is None:
                return None
            self.events.append(message)

    def quit(self):
        """Ends the machine: its answer may or may not get through."""
        try:
            self.command("quit")
        except QmpError:
            pass
