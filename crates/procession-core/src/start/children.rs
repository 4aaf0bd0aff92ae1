//! The children that this process has now.

use crate::error::WorkerId;
use crate::info::ProcessInfo;
use parking_lot::Mutex;
use procession_os::process::Child;
use std::sync::{Arc, Weak};

/// A child that was launched and may live.
type Launched = (ProcessInfo, Weak<Child>);

/// All of them, and whose they are: a forked copy of this process has none.
static CHILDREN: Mutex<(u32, Vec<Launched>)> = Mutex::new((0, Vec::new()));

/// Notes a child that was launched.
pub(super) fn note(id: &WorkerId, child: &Arc<Child>) {
    let own = std::process::id();
    let mut children = CHILDREN.lock();
    if children.0 != own {
        *children = (own, Vec::new());
    }
    children.1.retain(|(_, child)| child.strong_count() > 0);
    children.1.push((ProcessInfo::of_child(&id.name, id.pid), Arc::downgrade(child)));
}

/// The children of this process that live: what [`Process`](crate::process::Process) has started, dropped or
/// not, and the workers of pools, in the order in which they were started. (`active_children`.)
pub fn active_children() -> Vec<ProcessInfo> {
    let children = {
        let children = CHILDREN.lock();
        if children.0 == std::process::id() { children.1.clone() } else { Vec::new() }
    };
    // A status that cannot be had is one of a child that has ended.
    let lives = |child: &Weak<Child>| {
        child.upgrade().is_some_and(|child| matches!(child.try_reap(), Ok(None)))
    };
    children.into_iter().filter(|(_, child)| lives(child)).map(|(info, _)| info).collect()
}
