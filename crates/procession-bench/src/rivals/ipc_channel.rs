//! ipc-channel: another process behind a pair of its channels.

use crate::harness::{Outcome, Plan};
use crate::pace::{Body, Pace, time_once};
use crate::roles::{Helper, Role};
use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender, IpcSharedMemory};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a helper sends first: where it listens and where it answers.
type Ends<T> = (IpcSender<T>, IpcReceiver<T>);

/// The helper's part: answers until the channel is closed.
pub(crate) fn serve<T>(server: String, answer: fn(T) -> T) -> Outcome<()>
where
    T: Serialize + for<'de> Deserialize<'de> + 'static,
{
    let (requests, incoming) = ipc::channel::<T>()?;
    let (outgoing, responses) = ipc::channel::<T>()?;
    IpcSender::<Ends<T>>::connect(server)?.send((requests, responses))?;
    while let Ok(request) = incoming.recv() {
        outgoing.send(answer(request))?;
    }
    Ok(())
}

/// Shared memory with the same bytes.
pub(crate) fn copy_shared(bytes: IpcSharedMemory) -> IpcSharedMemory {
    IpcSharedMemory::from_bytes(&bytes)
}

/// The squares of some numbers.
pub(crate) fn squares(numbers: Vec<u64>) -> Vec<u64> {
    numbers.into_iter().map(|number| number * number).collect()
}

/// The bench's part.
struct Peer<T> {
    requests: IpcSender<T>,
    responses: IpcReceiver<T>,
    _helper: Helper,
}

impl<T: Serialize + for<'de> Deserialize<'de>> Peer<T> {
    fn start(role: Role) -> Outcome<Self> {
        let (server, name) = IpcOneShotServer::<Ends<T>>::new()?;
        let helper = Helper::start(role, &[name])?;
        let (_, (requests, responses)) = server.accept()?;
        Ok(Self { requests, responses, _helper: helper })
    }

    fn exchange(&self, request: T) -> Outcome<T> {
        self.requests.send(request)?;
        Ok(self.responses.recv()?)
    }
}

/// Round trips to the other process.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    let peer = Peer::<u64>::start(Role::IpcNumbers)?;
    body(&mut |value| peer.exchange(value))
}

/// Nanoseconds a task: sent by one thread, received by another, because a full channel blocks.
pub(crate) fn tasks(plan: Plan, count: u64) -> Outcome<Vec<f64>> {
    let Peer { requests, responses, _helper } = Peer::<u64>::start(Role::IpcNumbers)?;
    let times = Pace::steady(0, plan.pick(3, 1), Duration::from_secs(2)).time(|| {
        std::thread::scope(|scope| -> Outcome<()> {
            let sender = scope.spawn(|| {
                (0..count).try_for_each(|number| requests.send(number)).map_err(|e| e.to_string())
            });
            for number in 0..count {
                if responses.recv()? != number {
                    return Err("a wrong result".into());
                }
            }
            Ok(sender.join().map_err(|_| "the sender panicked")??)
        })
    })?;
    Ok(times.into_iter().map(|time| time / count as f64).collect())
}

/// Nanoseconds an integer of a map that travels as one vector.
pub(crate) fn map(plan: Plan, items: u64) -> Outcome<Vec<f64>> {
    let peer = Peer::<Vec<u64>>::start(Role::IpcSquares)?;
    (0..plan.pick(3, 1))
        .map(|_| {
            let time = time_once(|| {
                let squares = peer.exchange((0..items).collect())?;
                if squares.len() as u64 == items { Ok(()) } else { Err("too few results".into()) }
            })?;
            Ok(time / items as f64)
        })
        .collect()
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
