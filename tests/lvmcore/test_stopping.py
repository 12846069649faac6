"""A request to stop is heeded where work can end; the second one ends it at once."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from lvmcore.stopping import deferred, heed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_it_is_heeded_and_the_second_one_does_not(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with deferred():
        heed()
        os.kill(os.getpid(), number)
        with pytest.raises(KeyboardInterrupt):
            heed()
        heed()
        os.kill(os.getpid(), number)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
    heed()


def test_what_was_not_heeded_is_forgotten_with_the_work() -> None:
    with deferred():
        os.kill(os.getpid(), signal.SIGTERM)
    heed()


def test_another_thread_works_on() -> None:
    raised: list[BaseException] = []

    def work() -> None:
        try:
            with deferred():
                heed()
        except BaseException as problem:
            raised.append(problem)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not raised
