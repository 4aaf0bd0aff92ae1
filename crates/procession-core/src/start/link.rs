//! The parent's end of a worker's control channel after the boot, and what came and went over it:
//! shared memory, and why a worker does not work.

use crate::attachment::{Attachment, Attachments};
use crate::message::Parcel;
use parking_lot::Mutex;
use procession_ipc::bulk::{Bulk, BulkView};
use procession_ipc::layout::BULK_MAX;
use procession_os::control::{Control, HANDLES_MAX, Received};
use procession_os::handle::Handle;
use procession_os::memory::Memory;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The parent's end of a control channel.
#[derive(Debug)]
pub(crate) struct Link {
    /// The process whose link it is, and not a copy's of it.
    owner: u32,
    threads: usize,
    /// Attachments were sent, and no frame since then that has the worker read them.
    is_unread: AtomicBool,
    /// The worker's end is closed: it has ended, or something in it has closed what is not its own.
    has_hung_up: AtomicBool,
    channel: Mutex<Channel>,
}

/// The channel itself, and what came and went over it.
#[derive(Debug)]
struct Channel {
    control: Control,
    views: HashMap<u64, Arc<BulkView>>,
    sent: HashSet<u64>,
    /// Attachments that the worker has.
    attached: HashSet<u64>,
    /// Attachments that are gone, which the worker could not be told yet.
    gone: Vec<u64>,
    refusal: Option<String>,
    /// A segment of the worker's could not be taken here.
    is_short: bool,
}

impl Link {
    /// The link to a worker of so many threads.
    pub(super) fn new(control: Control, threads: usize) -> Self {
        let channel = Channel {
            control,
            views: HashMap::new(),
            sent: HashSet::new(),
            attached: HashSet::new(),
            gone: Vec::new(),
            refusal: None,
            is_short: false,
        };
        Self {
            owner: std::process::id(),
            threads,
            is_unread: AtomicBool::new(false),
            has_hung_up: AtomicBool::new(false),
            channel: Mutex::new(channel),
        }
    }

    /// Makes sure that the worker has a bulk segment of ours; `false` when the channel is full or
    /// closed.
    pub(super) fn share_bulk(&self, bulk: &Bulk) -> bool {
        let mut channel = self.channel.lock();
        if channel.sent.contains(&bulk.id()) {
            return true;
        }
        let message = Parcel::Bulk(bulk.id()).to_bytes();
        let sent = channel.control.send(&message, &[bulk.memory().handle()]);
        let sent = self.note_end(sent).is_ok();
        if sent {
            channel.sent.insert(bulk.id());
        }
        sent
    }

    /// Tells the worker that a bulk segment of ours will not be used any more.
    pub(super) fn forget_bulk(&self, id: u64) {
        let mut channel = self.channel.lock();
        if channel.sent.remove(&id) {
            // If the channel is full the worker keeps the mapping until it exits: no harm.
            let _ = channel.control.send(&Parcel::BulkGone(id).to_bytes(), &[]);
        }
    }

    /// Makes sure that the worker has these; gives how many went now. `None` when the channel is full
    /// or closed: what has gone by then is not sent again.
    pub(super) fn share(link: &Arc<Self>, attachments: &Attachments) -> Option<usize> {
        let mut channel = link.channel.lock();
        let is_new = |new: &&Arc<Attachment>| !channel.attached.contains(&new.id());
        let new: Vec<_> = attachments.to_send().filter(is_new).collect();
        if new.is_empty() {
            return Some(0);
        }
        channel.tell_gone();
        let all = new.len();
        let mut new = new.as_slice();
        while let Some(count) = fit_into_a_message(new) {
            let (some, rest) = new.split_at(count);
            new = rest;
            let message = Parcel::Attachments(some.iter().map(|each| each.label()).collect());
            let handles: Vec<_> = some.iter().flat_map(|each| each.handles()).collect();
            link.note_end(channel.control.send(&message.to_bytes(), &handles)).ok()?;
            link.is_unread.store(true, Ordering::Relaxed);
            for each in some {
                channel.attached.insert(each.id());
                each.add_receiver(link);
            }
        }
        Some(all)
    }

    /// Notes that the worker's end is closed, if that is why something could not be sent.
    fn note_end(&self, sent: io::Result<()>) -> io::Result<()> {
        use io::ErrorKind::{BrokenPipe, ConnectionReset};
        if sent.as_ref().is_err_and(|error| matches!(error.kind(), BrokenPipe | ConnectionReset)) {
            self.has_hung_up.store(true, Ordering::Relaxed);
        }
        sent
    }

    /// Whether the worker's end was found closed.
    pub(super) fn has_hung_up(&self) -> bool {
        self.has_hung_up.load(Ordering::Relaxed)
    }

    /// Whether attachments were sent, and no frame since then that has the worker read them.
    pub(super) fn has_unread(&self) -> bool {
        self.is_unread.load(Ordering::Relaxed)
    }

    /// Notes that a frame was sent that has the worker read its channel.
    pub(super) fn told_to_read(&self) {
        self.is_unread.store(false, Ordering::Relaxed);
    }

    /// Tells the worker that an attachment will not be mentioned any more.
    pub(crate) fn forget_attachment(&self, id: u64) {
        // A copy of the process that sent it may drop its own handles; the worker is not its affair.
        if self.owner != std::process::id() {
            return;
        }
        let mut channel = self.channel.lock();
        if channel.attached.remove(&id) {
            channel.gone.push(id);
            channel.tell_gone();
        }
    }

    /// A bulk segment of the worker's.
    pub(super) fn view(&self, id: u64) -> Option<Arc<BulkView>> {
        let mut channel = self.channel.lock();
        if !channel.views.contains_key(&id) {
            channel.read(self.threads);
        }
        channel.views.get(&id).cloned()
    }

    /// Whether a segment of the worker's was lost because this process has no descriptor or no memory
    /// left for it.
    pub(super) fn is_short(&self) -> bool {
        self.channel.lock().is_short
    }

    /// What the worker said when it refused to work.
    pub(super) fn refusal(&self) -> Option<String> {
        let mut channel = self.channel.lock();
        channel.read(self.threads);
        channel.refusal.clone()
    }
}

/// Most attachments in one message: their labels fit in any case.
const ATTACHMENTS_AT_ONCE: usize = 8;

/// How many of these go into one message, with their handles; `None` if there are none left.
fn fit_into_a_message(new: &[&Arc<Attachment>]) -> Option<usize> {
    let mut handles = 0;
    let fits = |each: &&&Arc<Attachment>| {
        handles += each.handles().len();
        handles <= HANDLES_MAX
    };
    let count = new.iter().take(ATTACHMENTS_AT_ONCE).take_while(fits).count();
    (count > 0).then_some(count)
}

impl Channel {
    /// Tells the worker of attachments that are gone. If the channel is full, it keeps them until more
    /// are shared or gone.
    fn tell_gone(&mut self) {
        if self.gone.is_empty() {
            return;
        }
        let count = self.gone.len().min(GONE_AT_ONCE);
        let message = Parcel::AttachmentsGone(self.gone[..count].to_vec()).to_bytes();
        if self.control.send(&message, &[]).is_ok() {
            self.gone.drain(..count);
        }
    }

    /// Reads what the worker has sent over the control channel so far, or more than any worker has to
    /// say: the pool's lock is held meanwhile, and one that has gone mad may send without end.
    fn read(&mut self, threads: usize) {
        let mut bytes = Vec::new();
        for _ in 0..PARCELS_AT_ONCE {
            let mut handles = Vec::new();
            match self.control.recv(&mut bytes, &mut handles, false) {
                Ok(Received::Message) => self.take(&bytes, handles, threads),
                // Lost for want of descriptors; what comes behind it may not need any.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => self.is_short = true,
                Ok(Received::Empty | Received::Closed) | Err(_) => return,
            }
        }
    }

    /// Address space that the worker's segments take here.
    fn view_bytes(&self) -> usize {
        self.views.values().map(|view| view.bytes()).sum()
    }

    fn take(&mut self, bytes: &[u8], handles: Vec<Handle>, threads: usize) {
        let Some(received) = Parcel::from_bytes(bytes) else { return };
        match received.parcel {
            Some(Parcel::Refusal(why)) => self.refusal = Some(why),
            Some(Parcel::Bulk(id)) => {
                let memory = handles.into_iter().next().and_then(|h| Memory::accept(h).ok());
                let view = memory.map(|memory| BulkView::map(&memory));
                self.is_short |= matches!(view, Some(Err(_)));
                // A worker has no more at a time; one that claims to is not believed.
                if let Some(Ok(view)) = view
                    && self.views.len() < 2 * BULK_MAX * threads
                    && self.view_bytes().saturating_add(view.bytes()) <= VIEW_BYTES_MAX
                {
                    self.views.insert(id, view);
                }
            }
            Some(Parcel::BulkGone(id)) => {
                self.views.remove(&id);
            }
            Some(_) | None => {}
        }
    }
}

/// Most messages that are read in one look: a worker has less to say between two, and its socket holds
/// fewer.
const PARCELS_AT_ONCE: usize = 4096;

/// Most address space for one worker's segments. They may be nearly all holes, and cost it nothing; more
/// than this is no memory that it has filled, and would leave none for anybody else.
const VIEW_BYTES_MAX: usize = 1 << 40;

/// Most ids in one message.
const GONE_AT_ONCE: usize = 1024;
