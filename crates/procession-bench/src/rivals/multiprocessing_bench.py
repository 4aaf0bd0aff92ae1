"""What the bench measures of Python's multiprocessing: prints samples, one a line."""

import array
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


def round_trip(calls, pause_us, limit_ms):
    with multiprocessing.Pool(1) as pool:
        timed(100, lambda i: pool.apply(echo, (i,)), limit_ns=limit_ms * 500_000)
        return timed(calls, lambda i: pool.apply(echo, (i,)), pause_us, limit_ms * 1_000_000)


def tasks(count):
    with multiprocessing.Pool(1) as pool:
        pool.apply(echo, (0,))
        start = clock()
        handles = [pool.apply_async(echo, (i,)) for i in range(count)]
        for handle in handles:
            handle.get()
        return [(clock() - start) / count]


def swap(point):
    return (point[0], point[2], point[1])


def upper(text):
    return text.upper()


def repeated(count, rounds, run):
    with multiprocessing.Pool(2) as pool:
        pool.map(square, range(1000))
        samples = []
        for _ in range(rounds):
            start = clock()
            run(pool)
            samples.append((clock() - start) / count)
        return samples


def map_integers(items, rounds):
    return repeated(items, rounds, lambda pool: pool.map(square, range(items)))


def map_structs(items, rounds):
    points = [(number, float(number), 0.5) for number in range(items)]
    return repeated(items, rounds, lambda pool: pool.map(swap, points))


def map_strings(items, rounds):
    texts = [f"item number {number:>8}" for number in range(items)]
    return repeated(items, rounds, lambda pool: pool.map(upper, texts))


def map_ones(items, rounds):
    return repeated(items, rounds, lambda pool: pool.map(square, range(items), 1))


def unordered(items, chunksize, rounds):
    def run(pool):
        for _ in pool.imap_unordered(square, range(items), chunksize):
            pass

    return repeated(items, rounds, run)


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


def exchanged(data, calls, limit_ms):
    with multiprocessing.Pool(1) as pool:
        pool.apply(echo, (data,))
        return timed(calls, lambda _: pool.apply(echo, (data,)), limit_ns=limit_ms * 1_000_000)


def transfer(size, calls, limit_ms):
    return exchanged(bytes(size), calls, limit_ms)


def transfer_floats(count, calls):
    return exchanged(array.array("d", [1.5]) * count, calls, 2000)


def make_bytes(size):
    return bytes(size)


def result(size, calls, limit_ms):
    with multiprocessing.Pool(1) as pool:
        pool.apply(make_bytes, (size,))
        call = lambda _: pool.apply(make_bytes, (size,))
        return timed(calls, call, limit_ns=limit_ms * 1_000_000)


def timed_sleep(millis):
    start = clock()
    time.sleep(millis / 1000)
    return clock() - start


def skewed(quick, order):
    """As the bench's own `Order::millis`, and the same ratio."""
    count, long, length = (100, 4, 20) if quick else (1000, 8, 200)
    millis = [1] * count
    if order == 0:
        millis[count - long :] = [length] * long
    elif order == 1:
        millis[:long] = [length] * long
    else:
        for place in range(long):
            millis[(place * 7919 + 104_729 + place * place * 31) % count] = length
    with multiprocessing.Pool(4) as pool:
        pool.map(timed_sleep, [1] * 4, 1)
        start = clock()
        naps = [pool.apply_async(timed_sleep, (nap,)) for nap in millis]
        lengths = [nap.get() for nap in naps]
        total = clock() - start
    free_at = [0] * 4
    for nap in lengths:
        free_at[free_at.index(min(free_at))] += nap
    return [total / max(free_at)]


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


def several(count, call):
    """Nanoseconds of each of so many calls, in twenty samples."""
    part = max(count // 20, 1)
    samples = []
    for _ in range(20):
        start = clock()
        for _ in range(part):
            call()
        samples.append((clock() - start) / part)
    return samples


def lock(count):
    held = multiprocessing.Lock()

    def call():
        held.acquire()
        held.release()

    return several(count, call)


def keep_locking(held, stop):
    while not stop.is_set():
        for _ in range(100):
            held.acquire()
            held.release()


def contended(count):
    held, stop = multiprocessing.Lock(), multiprocessing.Event()
    other = multiprocessing.Process(target=keep_locking, args=(held, stop))
    other.start()

    def call():
        held.acquire()
        held.release()

    samples = several(count, call)
    stop.set()
    other.join()
    return samples


def increment(count):
    value = multiprocessing.Value("q", 0)

    def call():
        with value.get_lock():
            value.value += 1

    return several(count, call)


def take_all(items, done):
    count = 0
    while items.get() is not None:
        count += 1
    done.put(count)


def put_all(items, go, count):
    go.wait()
    for _ in range(count):
        items.put(1)


def queue(pairs, count):
    items, done, go = multiprocessing.Queue(), multiprocessing.Queue(), multiprocessing.Event()
    each = count // pairs
    takers = [multiprocessing.Process(target=take_all, args=(items, done)) for _ in range(pairs)]
    putters = [
        multiprocessing.Process(target=put_all, args=(items, go, each)) for _ in range(pairs - 1)
    ]
    for process in takers + putters:
        process.start()
    start = clock()
    go.set()
    put_all(items, go, each)
    for process in putters:
        process.join()
    for _ in takers:
        items.put(None)
    total = sum(done.get() for _ in takers)
    taken = clock() - start
    for process in takers:
        process.join()
    return [taken / total]


def queue_bytes(size, count):
    items, done = multiprocessing.Queue(64), multiprocessing.Queue()
    taker = multiprocessing.Process(target=take_all, args=(items, done))
    taker.start()
    item = bytes(size)
    items.put(item)
    start = clock()
    for _ in range(count - 1):
        items.put(item)
    items.put(None)
    done.get()
    taken = clock() - start
    taker.join()
    return [taken / count]


def echo_all(end):
    while True:
        number = end.recv()
        if number is None:
            return
        end.send(number)


def pipe(calls):
    here, there = multiprocessing.Pipe()
    child = multiprocessing.Process(target=echo_all, args=(there,))
    child.start()

    def call(number):
        here.send(number)
        here.recv()

    samples = timed(calls, call)
    here.send(None)
    child.join()
    return samples


def answer_all(asked, answered, stop):
    while True:
        asked.wait()
        asked.clear()
        if stop.is_set():
            return
        answered.set()


def event(calls):
    asked, answered, stop = (multiprocessing.Event() for _ in range(3))
    child = multiprocessing.Process(target=answer_all, args=(asked, answered, stop))
    child.start()

    def call(_):
        asked.set()
        answered.wait()
        answered.clear()

    samples = timed(calls, call)
    stop.set()
    asked.set()
    child.join()
    return samples


def manager(calls):
    with multiprocessing.Manager() as served:
        numbers = served.list([0])
        return timed(calls, lambda number: numbers.__setitem__(0, number))


if __name__ == "__main__":
    run = {
        "lock": lock,
        "contended": contended,
        "increment": increment,
        "queue": queue,
        "queue_bytes": queue_bytes,
        "pipe": pipe,
        "event": event,
        "manager": manager,
        "round_trip": round_trip,
        "tasks": tasks,
        "map": map_integers,
        "map_structs": map_structs,
        "map_strings": map_strings,
        "map_ones": map_ones,
        "unordered": unordered,
        "start_fork": lambda calls: start_join("fork", calls),
        "start_forkserver": lambda calls: start_join("forkserver", calls),
        "start_spawn": lambda calls: start_join("spawn", calls),
        "pool_start": pool_start,
        "transfer": transfer,
        "transfer_floats": transfer_floats,
        "result": result,
        "skewed": skewed,
        "sleeps": sleeps,
        "memory": memory,
        "idle": idle,
    }[sys.argv[1]]
    for sample in run(*map(int, sys.argv[2:])):
        print(sample)
