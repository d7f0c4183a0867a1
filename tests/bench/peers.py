#!/usr/bin/python3
"""What a Python programmer would use: the references of tests/bench/run.

    peers.py PEER WORK COUNT   does WORK (io, cpu, mixed: see calls_work.c) COUNT times by PEER, from start to end
    peers.py map COUNT         seconds of Pool.map(chunksize=1) of a function that takes 100 ns, pool warm
    peers.py apply COUNT       median microseconds of Pool.apply, one worker, which sleeps
    peers.py task WORK         nanoseconds of one task, median
    peers.py has PEER          status 0 where it is installed

Each does it the way its documentation shows first; as many workers as this process may use CPUs.
"""
import os
import sys
import time

SUMMANDS = 10**4
CPUS = len(os.sched_getaffinity(0))


def io(_=None):
    with open("/dev/urandom", "rb", buffering=0) as f:
        return len(f.read(100))


def cpu(_=None):
    return sum(i * i for i in range(SUMMANDS))


def mixed(_=None):
    return io() + cpu()


def half(x):
    return x * 0.5  # with the call about 100 ns


WORKS = {"io": io, "cpu": cpu, "mixed": mixed}


def sequential(work, count):
    for i in range(count):
        work(i)


def in_executor(make):
    import asyncio

    async def main(work, count):
        loop = asyncio.get_running_loop()
        with make(CPUS) as executor:
            await asyncio.gather(*(loop.run_in_executor(executor, work, i) for i in range(count)))

    return lambda work, count: asyncio.run(main(work, count))


def asyncio_threads(work, count):
    from concurrent.futures import ThreadPoolExecutor

    in_executor(ThreadPoolExecutor)(work, count)


def asyncio_processes(work, count):
    from concurrent.futures import ProcessPoolExecutor

    in_executor(ProcessPoolExecutor)(work, count)


def threads(work, count):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(CPUS) as executor:
        list(executor.map(work, range(count)))


def pool(work, count):
    from multiprocessing import Pool

    with Pool(CPUS) as p:
        p.map(work, range(count))


def joblib(work, count):
    from joblib import Parallel, delayed

    Parallel(n_jobs=CPUS)(delayed(work)(i) for i in range(count))


PEERS = {
    "loop": sequential,
    "asyncio+threads": asyncio_threads,
    "asyncio+processes": asyncio_processes,
    "ThreadPoolExecutor": threads,
    "multiprocessing.Pool": pool,
    "joblib": joblib,
}


def time_map(count):
    from multiprocessing import Pool

    with Pool(CPUS) as p:
        p.map(half, range(1000), chunksize=1)
        begin = time.perf_counter()
        p.map(half, range(count), chunksize=1)
        return time.perf_counter() - begin


def time_apply(count):
    from multiprocessing import Pool

    def one(p):
        time.sleep(0.002)
        begin = time.perf_counter()
        p.apply(half, (1.0,))
        return time.perf_counter() - begin

    with Pool(1) as p:
        return sorted(one(p) for _ in range(count))[count // 2] * 1e6


def time_task(work):
    def some():
        begin = time.perf_counter()
        sequential(work, 20)
        return (time.perf_counter() - begin) / 20

    return sorted(some() for _ in range(101))[50] * 1e9


def main(argv):
    if argv[0] == "has":
        if argv[1] == "joblib":
            import joblib as _
    elif argv[0] == "map":
        print(time_map(int(argv[1])))
    elif argv[0] == "apply":
        print(time_apply(int(argv[1])))
    elif argv[0] == "task":
        print(time_task(WORKS[argv[1]]))
    else:
        PEERS[argv[0]](WORKS[argv[1]], int(argv[2]))


if __name__ == "__main__":
    main(sys.argv[1:])
