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
        };
        let (owner, is_unread) = (std::process::id(), AtomicBool::new(false));
        Self { owner, threads, is_unread, channel: Mutex::new(channel) }
    }

    /// Makes sure that the worker has a bulk segment of ours; `false` when the channel is full or
    /// closed.
    pub(super) fn share_bulk(&self, bulk: &Bulk) -> bool {
        let mut channel = self.channel.lock();
        if channel.sent.contains(&bulk.id()) {
            return true;
        }
        let message = Parcel::Bulk(bulk.id()).to_bytes();
        let sent = channel.control.send(&message, &[bulk.memory().handle()]).is_ok();
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
        let new: Vec<_> = attachments.as_slice().iter().filter(is_new).collect();
        if new.is_empty() {
            return Some(0);
        }
        channel.tell_gone();
        for some in new.chunks(ATTACHMENTS_AT_ONCE) {
            let message = Parcel::Attachments(some.iter().map(|each| each.label()).collect());
            let handles: Vec<_> = some.iter().map(|each| each.memory().handle()).collect();
            channel.control.send(&message.to_bytes(), &handles).ok()?;
            link.is_unread.store(true, Ordering::Relaxed);
            for each in some {
                channel.attached.insert(each.id());
                each.add_receiver(link);
            }
        }
        Some(new.len())
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

    /// What the worker said when it refused to work.
    pub(super) fn refusal(&self) -> Option<String> {
        let mut channel = self.channel.lock();
        channel.read(self.threads);
        channel.refusal.clone()
    }
}

/// Most attachments in one message: as many as their handles fit, and their labels in any case.
const ATTACHMENTS_AT_ONCE: usize = if HANDLES_MAX < 8 { HANDLES_MAX } else { 8 };

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

    /// Reads what the worker has sent over the control channel so far.
    fn read(&mut self, threads: usize) {
        let mut bytes = Vec::new();
        loop {
            let mut handles = Vec::new();
            match self.control.recv(&mut bytes, &mut handles, false) {
                Ok(Received::Message) => self.take(&bytes, handles, threads),
                Ok(Received::Empty | Received::Closed) | Err(_) => return,
            }
        }
    }

    fn take(&mut self, bytes: &[u8], handles: Vec<Handle>, threads: usize) {
        let Some(received) = Parcel::from_bytes(bytes) else { return };
        match received.parcel {
            Some(Parcel::Refusal(why)) => self.refusal = Some(why),
            Some(Parcel::Bulk(id)) => {
                let memory = handles.into_iter().next().and_then(|h| Memory::accept(h).ok());
                let view = memory.and_then(|memory| BulkView::map(&memory).ok());
                // A worker has no more at a time; one that claims to is not believed.
                if let Some(view) = view
                    && self.views.len() < 2 * BULK_MAX * threads
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

/// Most ids in one message.
const GONE_AT_ONCE: usize = 1024;
