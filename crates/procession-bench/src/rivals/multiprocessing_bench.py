"""What the bench measures of Python's multiprocessing: prints samples, one a line."""

import multiprocessing
import os
import sys
import time


def echo(x):
    return x


def square(x):
    return x * x


def nothing():
    pass


def clock():
    return time.perf_counter_ns()


def timed(calls, call, pause_us=0, limit_ns=400_000_000):
    samples = []
    start = clock()
    for number in range(calls):
        if pause_us:
            time.sleep(pause_us / 1e6)
        before = clock()
        call(number)
        samples.append(clock() - before)
        if clock() - start > limit_ns:
            break
    return samples


def round_trip(calls, pause_us):
    with multiprocessing.Pool(1) as pool:
        timed(100, lambda i: pool.apply(echo, (i,)))
        return timed(calls, lambda i: pool.apply(echo, (i,)), pause_us)


def tasks(count):
    with multiprocessing.Pool(1) as pool:
        pool.apply(echo, (0,))
        start = clock()
        handles = [pool.apply_async(echo, (i,)) for i in range(count)]
        for handle in handles:
            handle.get()
        return [(clock() - start) / count]


def map_integers(items, rounds):
    with multiprocessing.Pool(2) as pool:
        pool.map(square, range(1000))
        samples = []
        for _ in range(rounds):
            start = clock()
            pool.map(square, range(items))
            samples.append((clock() - start) / items)
        return samples


def start_join(method, calls):
    context = multiprocessing.get_context(method)

    def call(_):
        process = context.Process(target=nothing)
        process.start()
        process.join()

    return timed(calls, call)


def pool_start(calls):
    samples = []
    for _ in range(calls):
        start = clock()
        pool = multiprocessing.Pool(2)
        pool.apply(echo, (1,))
        samples.append(clock() - start)
        pool.terminate()
        pool.join()
    return samples


def transfer(size, calls):
    data = bytes(size)
    with multiprocessing.Pool(1) as pool:
        pool.apply(echo, (data,))
        return timed(calls, lambda _: pool.apply(echo, (data,)), limit_ns=2_000_000_000)


def sleeps(nap_ms):
    start = clock()
    pool = multiprocessing.Pool(4)
    for _ in range(5):
        pool.apply_async(time.sleep, (nap_ms / 1000,))
    pool.close()
    pool.join()
    return [clock() - start]


def unique_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Private_"))


def memory():
    with multiprocessing.Pool(1) as pool:
        return [unique_bytes(pool.apply(os.getpid))]


def switches(folders):
    total = 0
    for folder in folders:
        with open(f"{folder}/status") as file:
            total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return total


def idle(processes, millis):
    own = os.getpid()
    with multiprocessing.Pool(processes) as pool:
        pool.apply(echo, (1,))
        time.sleep(0.2)
        pids = [child.pid for child in multiprocessing.active_children()] + [own]
        folders = [
            f"/proc/{pid}/task/{task}"
            for pid in pids
            for task in os.listdir(f"/proc/{pid}/task")
            if int(task) != own
        ]
        before = switches(folders)
        time.sleep(millis / 1000)
        return [switches(folders) - before]


if __name__ == "__main__":
    run = {
        "round_trip": round_trip,
        "tasks": tasks,
        "map": map_integers,
        "start_fork": lambda calls: start_join("fork", calls),
        "start_forkserver": lambda calls: start_join("forkserver", calls),
        "start_spawn": lambda calls: start_join("spawn", calls),
        "pool_start": pool_start,
        "transfer": transfer,
        "sleeps": sleeps,
        "memory": memory,
        "idle": idle,
    }[sys.argv[1]]
    for sample in run(*map(int, sys.argv[2:])):
        print(sample)
