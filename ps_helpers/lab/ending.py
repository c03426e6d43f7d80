"""Let the script end in one line and with its status, at whatever moment it is told."""

import contextlib
import os
import signal
import sys
import threading

TOLD = "\nInterrupted. What was reached:"


def answer(interrupt, terminate):
    """Set what answers Ctrl-C and SIGTERM, unless ignored; return what did."""
    pairs = (signal.SIGINT, interrupt), (signal.SIGTERM, terminate)
    before = [signal.getsignal(number) for number, _ in pairs]
    for (number, handler), old in zip(pairs, before, strict=True):
        if old != signal.SIG_IGN:
            signal.signal(number, handler)
    return before


def raise_it(number, frame):
    """Raise what a signal asks for; a ``__del__`` would swallow it, so after that."""
    while frame and frame.f_code.co_name != "__del__":
        frame = frame.f_back
    if frame:
        threading.Timer(0.05, os.kill, [os.getpid(), number]).start()
    elif number == signal.SIGINT:
        raise KeyboardInterrupt
    else:
        sys.exit(number)


def let_raise():
    """Let both raise, also once Ray runs, which sets answers of its own."""
    return answer(raise_it, raise_it)


@contextlib.contextmanager
def answers_kept():
    """Let both raise, and in the end put back what was there."""
    before = let_raise()
    try:
        yield
    finally:
        for number, old in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, old)


def no_result(error):
    """Say why nothing could be printed; return the exit status."""
    print(f"parameter_server: no result: {error.strerror}", file=sys.stderr)
    return 1


def leave(status):
    """End this process now: a signal might hit what the interpreter does at its end."""
    with contextlib.suppress(OSError):  # whoever read this may have gone
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # `| head` has read enough
            status = status or 141
        except OSError as error:
            status = status or no_result(error)
    os._exit(status)


def leave_at_once(number, _):
    """Answer a signal before anything has started."""
    with contextlib.suppress(OSError):
        print(TOLD, file=sys.stderr)
        print("Stopped before the first update.")
    leave(128 + number)


def run(main):
    """Run a script's main function, and end the process with its status."""
    try:
        status = main()
    except SystemExit as end:  # of argparse
        status = end.code or 0
    except BrokenPipeError:
        status = 141
    except OSError as error:
        status = no_result(error)
    leave(status)
