"""The client of i-PI's socket protocol: positions in, energies, forces, virials and sigmas out.

Messages are 12 bytes: STATUS is answered by NEEDINIT, READY or HAVEDATA, INIT brings a number and a
text, POSDATA cell, its inverse and positions in bohr, GETFORCE asks for FORCEREADY, energy, number
of atoms, forces, virial and a text, EXIT ends. Numbers are as the machine holds them.

Source: Kapil et al., Comput. Phys. Commun. 236, 214 (2019), and the documentation of i-PI.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gapy.engines.ipi.forces import Answer, Forces
from gapy.errors import GapyError

HEADER = 12
PREFIX = "/tmp/ipi_"
"""i-PI's own, of the files of its unix sockets."""


@dataclass(frozen=True)
class Address:
    """host and port of a TCP socket, or the name of a unix socket."""

    host: str
    port: int | None = None

    @classmethod
    def of(cls, text: str) -> Address:
        """From "host:port" or "unix:name" (a name as in i-PI's <address>, or a path).

        Raises GapyError for anything else.
        """
        kind, _, rest = text.rpartition(":")
        if kind == "unix" and rest:
            return cls(rest)
        if kind and rest.isdigit() and 0 < int(rest) < 65536:
            return cls(kind, int(rest))
        raise GapyError(
            f"address: expected host:port or unix:name, as i-PI's <ffsocket> has them, got {text!r}"
        )

    def connect(self) -> socket.socket:
        """A socket. Raises GapyError where nobody listens."""
        unix = self.port is None
        found = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
        try:
            if self.port is None:
                found.connect(self.host if "/" in self.host else PREFIX + self.host)
            else:
                found.connect((self.host, self.port))
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return found
        except OSError as error:
            found.close()
            raise GapyError(
                f"address: expected i-PI to listen at {self}, got {error}; start i-PI first, or "
                "correct the address"
            ) from error

    def __str__(self) -> str:
        return f"unix:{self.host}" if self.port is None else f"{self.host}:{self.port}"


def serve(address: Address, forces: Forces, *, report: Callable[[int], None] | None = None) -> int:
    """Answer i-PI until it ends; the number of structures evaluated.

    report: called with that number after each of them.

    Raises GapyError where nobody listens, the connection breaks within a message or something else
    than this protocol is spoken; and what the potential refuses.
    """
    with address.connect() as connection:
        return _Conversation(connection, forces, report).hold()


class _Conversation:
    def __init__(self, connection: socket.socket, forces: Forces, report):
        self._connection, self._forces, self._report = connection, forces, report
        self._answer: Answer | None = None
        self._ready = False
        self._count = 0

    def hold(self) -> int:
        while True:
            header = self._received(HEADER, may_end=True)
            message = header.decode("ascii", errors="replace").strip()
            if message in ("", "EXIT"):
                return self._count
            if message == "STATUS":
                have = "HAVEDATA" if self._answer is not None else "READY"
                self._tell(have if self._ready else "NEEDINIT")
            elif message == "INIT":
                self._number(np.int32)
                self._received(self._number(np.int32))
                self._ready = True
            elif message == "POSDATA":
                self._evaluate()
            elif message == "GETFORCE":
                self._hand_over()
            else:
                raise GapyError(
                    f"i-PI: expected STATUS, INIT, POSDATA, GETFORCE or EXIT, got {message!r}; is "
                    "it i-PI that listens there?"
                )

    def _evaluate(self) -> None:
        cell = self._array((3, 3)).T  # i-PI's lattice vectors are columns, sent row by row
        self._array((3, 3))
        n = self._number(np.int32)
        self._answer = self._forces(cell, self._array((n, 3)))
        self._ready = True
        self._count += 1

    def _hand_over(self) -> None:
        if self._answer is None:
            raise GapyError(
                "i-PI: expected POSDATA before GETFORCE; is it i-PI that listens there?"
            )
        energy, forces, virial, extras = self._answer
        text = extras.encode()
        self._tell("FORCEREADY")
        for part in (
            np.float64(energy), np.int32(len(forces)), forces, np.ascontiguousarray(virial.T),
            np.int32(len(text)),
        ):  # fmt: skip
            self._connection.sendall(np.asarray(part).tobytes())
        self._connection.sendall(text)
        self._answer = None
        if self._report is not None:
            self._report(self._count)

    def _tell(self, message: str) -> None:
        self._connection.sendall(message.ljust(HEADER).encode())

    def _received(self, n_bytes: int, may_end: bool = False) -> bytes:
        parts, missing = [], n_bytes
        while missing:
            part = self._connection.recv(missing)
            if not part:
                if may_end and missing == n_bytes:
                    return b""
                raise GapyError("i-PI: the connection broke within a message; see i-PI's own log")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _number(self, kind) -> int:
        return int(np.frombuffer(self._received(np.dtype(kind).itemsize), dtype=kind)[0])

    def _array(self, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape))
        return np.frombuffer(self._received(8 * size)).reshape(shape)
