"""Calls that may take long, from the main thread: it hears signals while they are made."""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import Callable, Optional

SLICE = 0.1  # s: a signal that the system gave to another thread wakes nobody

Make = Callable[[], object]


class Raised:
    """The first thing that was raised in one place, to be raised in another."""

    def __init__(self) -> None:
        self._it: Optional[BaseException] = None

    def __bool__(self) -> bool:
        return self._it is not None

    def keep(self, raised: BaseException) -> None:
        if self._it is None:
            self._it = raised

    def again(self) -> None:
        """Raise it, if there is anything, and forget it: it would hold us, and we it."""
        raised, self._it = self._it, None
        if raised is not None:
            try:
                raise raised
            finally:
                del raised


class _Job:
    """Something to make, once."""

    def __init__(self, make: Make) -> None:
        self._todo = [make]  # whoever pops it has it
        self._raised = Raised()
        self._is_over = False
        self._over = threading.Lock()
        self._over.acquire()

    def _take(self) -> Optional[Make]:
        try:
            return self._todo.pop()
        except IndexError:
            return None

    def run(self) -> None:
        """On the helper. What the main thread has taken back is not made."""
        make = self._take()
        try:
            if make is not None:
                make()
        except BaseException as raised:
            self._raised.keep(raised)

    def tell(self) -> None:
        self._is_over = True
        self._over.release()

    def wait(self) -> None:
        while not self._over.acquire(timeout=SLICE):
            pass
        self._raised.again()

    def finish(self, end: Optional[Make], moment: float) -> None:
        """The wait was interrupted: to its end all the same, if it has begun. One more ^C is no news."""
        if self._take() is not None:
            return
        while end is not None and not self._is_over:
            try:
                if not self._over.acquire(timeout=moment):
                    end()
                    moment = -1
            except BaseException:
                pass


class _Helper:
    """A thread that makes one thing after the other; it ends with the process."""

    idle: list["_Helper"] = []

    def __init__(self) -> None:
        self.jobs: "queue.SimpleQueue[_Job]" = queue.SimpleQueue()
        threading.Thread(target=self._work, name="tapedeck", daemon=True).start()

    def _work(self) -> None:
        while True:
            job = self.jobs.get()
            job.run()
            self.idle.append(self)
            job.tell()
            del job


os.register_at_fork(after_in_child=_Helper.idle.clear)  # their threads are the parent's


def aside(make: Make, end: Optional[Make], moment: float = 0) -> None:
    """make(), on a helper if this is the main thread, on which handlers of signals run between any two
    steps, but not within the library. What one of them raises is raised here when end() has brought
    make() to its end; it is not called if that comes by itself within `moment` seconds. Without an
    end() make() is left to itself."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or sys.is_finalizing():  # then no thread begins any more, and it is waited for
        make()
        return
    job = _Job(make)
    try:
        (_Helper.idle.pop() if _Helper.idle else _Helper()).jobs.put(job)
        job.wait()
    except BaseException:
        job.finish(end, moment)
        raise
