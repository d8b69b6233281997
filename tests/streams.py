"""File objects that give or take less than they are asked for, and a disk that is full."""

import errno
import io


class Trickle(io.RawIOBase):
    """An unbuffered file: it gives and takes a few bytes at a time, as sockets do."""

    def __init__(self, data=b"", most=7):
        self._content, self._most = io.BytesIO(data), most

    def readable(self):
        return True

    def writable(self):
        return True

    def readinto(self, buffer):
        piece = self._content.read(min(len(buffer), self._most))
        buffer[: len(piece)] = piece
        return len(piece)

    def write(self, data):
        return self._content.write(memoryview(data)[: self._most])

    def getvalue(self):
        return self._content.getvalue()


class NothingThere(io.RawIOBase):
    """A file that does not block: nothing can be read from it or written to it at present."""

    def read(self, size=-1):
        return None

    def write(self, data):
        return None


class FullDisk(io.FileIO):
    """A file of which some bytes are written, before an error ends it."""

    room, error = 1000, OSError(errno.ENOSPC, "No space left on device")

    def write(self, data):
        room = self.room - self.tell()
        if room <= 0:
            raise self.error
        return super().write(memoryview(data).cast("B")[:room])
