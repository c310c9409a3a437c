"""Limit: how many `bcrypt.checkpw` at cost 12 all cores do in a second. Prints that number."""

import os
import sys
import threading
import time

import bcrypt

COST = 12


def check_until(ends_at: float, hashed: bytes, counts: list[float]) -> None:
    while (started := time.perf_counter()) < ends_at:
        bcrypt.checkpw(b"Correct-Horse-7", hashed)
        if (ended := time.perf_counter()) <= ends_at:
            counts.append(1.0)
        else:  # the part of the last one that lies within the time
            counts.append((ends_at - started) / (ended - started))


def main(seconds: float) -> None:
    hashed = bcrypt.hashpw(b"Correct-Horse-7", bcrypt.gensalt(COST))
    counts: list[float] = []
    ends_at = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=check_until, args=(ends_at, hashed, counts))
        for _ in range(os.cpu_count() or 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(counts) / seconds)


main(float(sys.argv[1]))
