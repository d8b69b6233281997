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
    """A file on a disk that takes some more bytes and is then full."""

    room = 100

    def write(self, data):
        if self.tell() >= self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(memoryview(data).cast("B")[: self.room])
