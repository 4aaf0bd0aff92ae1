//! What a pool has done.

/// Counts of what a pool has done and has to do. A task of the map family is one item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Tasks handed in.
    pub submitted: u64,
    /// Tasks that returned a value.
    pub succeeded: u64,
    /// Tasks that ended without a value, for whatever reason.
    pub failed: u64,
    /// Of those, tasks lost with their worker.
    pub lost: u64,
    /// Of those, tasks that took longer than their limit.
    pub timed_out: u64,
    /// Of those, tasks that were cancelled.
    pub cancelled: u64,
    /// Items of lazy maps that nobody wanted any more before they had begun.
    pub dropped: u64,
    /// How often a task, or an item, ran again after its worker had died.
    pub retried: u64,
    /// Tasks taken back from a worker that had not begun them.
    pub taken_back: u64,
    /// Worker processes launched in the place of one that died.
    pub respawns: u64,
    /// Worker processes that were told to end, to be replaced, because they had run their number of
    /// tasks, had too much memory, or had run a task that panicked.
    pub retired: u64,
    /// How often a piece of shared data was sent to a worker process: once to each that needed it.
    pub shared: u64,
    /// Workers that live now, be they processes or threads.
    pub workers: usize,
}
