//! ipc-channel: another process behind a pair of its channels.

use crate::harness::{Outcome, Plan};
use crate::ours::calls::in_threads;
use crate::ours::items::{Item, items};
use crate::pace::{Body, Pace, time_once};
use crate::roles::{Helper, Role};
use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender, IpcSharedMemory};
use serde::{Deserialize, Serialize};

/// What a helper sends first: where it listens and where it answers.
type Ends<Q, A> = (IpcSender<Q>, IpcReceiver<A>);

/// What can be sent.
pub(crate) trait Message: Serialize + for<'de> Deserialize<'de> + 'static {}

impl<T: Serialize + for<'de> Deserialize<'de> + 'static> Message for T {}

/// The helper's part: answers until the channel is closed.
pub(crate) fn serve<Q: Message, A: Message>(server: String, answer: fn(Q) -> A) -> Outcome<()> {
    let (requests, incoming) = ipc::channel::<Q>()?;
    let (outgoing, responses) = ipc::channel::<A>()?;
    IpcSender::<Ends<Q, A>>::connect(server)?.send((requests, responses))?;
    while let Ok(request) = incoming.recv() {
        outgoing.send(answer(request))?;
    }
    Ok(())
}

/// Shared memory with the same bytes.
pub(crate) fn copy_shared(bytes: IpcSharedMemory) -> IpcSharedMemory {
    IpcSharedMemory::from_bytes(&bytes)
}

/// The bench's part.
struct Peer<Q, A = Q> {
    requests: IpcSender<Q>,
    responses: IpcReceiver<A>,
    _helper: Helper,
}

impl<Q: Message, A: Message> Peer<Q, A> {
    fn start(role: Role) -> Outcome<Self> {
        let (server, name) = IpcOneShotServer::<Ends<Q, A>>::new()?;
        let helper = Helper::start(role, &[name])?;
        let (_, (requests, responses)) = server.accept()?;
        Ok(Self { requests, responses, _helper: helper })
    }

    fn exchange(&self, request: Q) -> Outcome<A> {
        self.requests.send(request)?;
        Ok(self.responses.recv()?)
    }
}

/// Round trips to the other process.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    let peer = Peer::<u64>::start(Role::IpcNumbers)?;
    body(&mut |value| peer.exchange(value))
}

/// Nanoseconds a task: sent by one thread or more, received by another, because a full channel
/// blocks.
pub(crate) fn tasks(pace: Pace, threads: usize, count: u64) -> Outcome<Vec<f64>> {
    let Peer { requests, responses, _helper } = Peer::<u64>::start(Role::IpcNumbers)?;
    let share = count / threads as u64;
    let all = share * threads as u64;
    let times = pace.time(|| {
        std::thread::scope(|scope| -> Outcome<()> {
            let sender = scope.spawn(|| {
                in_threads(threads, || Ok((0..share).try_for_each(|n| requests.send(n))?))
            });
            let mut sum = 0;
            for _ in 0..all {
                sum += responses.recv()?;
            }
            sender.join().map_err(|_| "the sender panicked")??;
            let right = sum == threads as u64 * (0..share).sum::<u64>();
            if right { Ok(()) } else { Err("wrong results".into()) }
        })
    })?;
    Ok(times.into_iter().map(|time| time / all as f64).collect())
}

/// Nanoseconds an item of a map that travels as one vector.
pub(crate) fn map<T: Item>(plan: Plan, role: Role, count: u64) -> Outcome<Vec<f64>> {
    let peer = Peer::<Vec<T>>::start(role)?;
    (0..plan.pick(3, 1))
        .map(|_| {
            let all = items::<T>(count);
            let time = time_once(|| {
                let results = peer.exchange(all)?;
                if results.len() as u64 == count { Ok(()) } else { Err("too few results".into()) }
            })?;
            Ok(time / count as f64)
        })
        .collect()
}

/// A vector of numbers there and back.
pub(crate) fn floats(count: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let peer = Peer::<Vec<f64>>::start(Role::IpcFloats)?;
    let mut floats = vec![1.5; count];
    pace.time(|| {
        floats = peer.exchange(std::mem::take(&mut floats))?;
        if floats.len() == count { Ok(()) } else { Err("too few numbers".into()) }
    })
}

/// A vector of bytes as result alone.
pub(crate) fn results(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let peer = Peer::<u64, Vec<u8>>::start(Role::IpcMake)?;
    pace.time(|| {
        let bytes = peer.exchange(size as u64)?;
        if bytes.len() == size { Ok(()) } else { Err("too few bytes".into()) }
    })
}

/// A vector of bytes as argument alone, made before the clock starts.
pub(crate) fn argument(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let peer = Peer::<Vec<u8>, u64>::start(Role::IpcLength)?;
    pace.time_prepared(
        || vec![1; size],
        |bytes| {
            let length = peer.exchange(bytes)?;
            if length == size as u64 { Ok(()) } else { Err("too few bytes".into()) }
        },
    )
}

/// A vector of bytes there and back.
pub(crate) fn bytes(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let peer = Peer::<Vec<u8>>::start(Role::IpcBytes)?;
    let mut bytes = vec![1; size];
    pace.time(|| {
        bytes = peer.exchange(std::mem::take(&mut bytes))?;
        if bytes.len() == size { Ok(()) } else { Err("too few bytes".into()) }
    })
}

/// The same through its shared memory, copied on both sides from and to a vector.
pub(crate) fn shared(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let peer = Peer::<IpcSharedMemory>::start(Role::IpcShared)?;
    let mut bytes = vec![1; size];
    pace.time(|| {
        bytes = peer.exchange(IpcSharedMemory::from_bytes(&bytes))?.to_vec();
        if bytes.len() == size { Ok(()) } else { Err("too few bytes".into()) }
    })
}
