//! Processes that talk to each other: a queue of work, a value that all change, and an object that all call.
#![expect(clippy::print_stdout, reason = "an example prints")]

use procession::{JoinableQueue, Manager, Process, Proxy, Value};
use std::collections::BTreeMap;

/// Who has done how much.
#[derive(Default)]
struct Ledger(BTreeMap<String, u64>);

impl Ledger {
    fn note(&mut self, who: String, done: u64) {
        *self.0.entry(who).or_default() += done;
    }

    fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

fn work(
    numbers: JoinableQueue<u64>,
    sum: Value<u64>,
    ledger: Proxy<Ledger>,
) -> procession::Result<()> {
    let mut done = 0;
    for number in numbers.iter() {
        *sum.lock()? += number?;
        done += 1;
        numbers.task_done()?;
    }
    ledger.call(Ledger::note, (procession::current_process().name().to_owned(), done))
}

#[procession::main]
fn main() -> procession::Result<()> {
    let (numbers, sum) = (JoinableQueue::bounded(100)?, Value::new(0)?);
    let manager = Manager::new()?;
    let ledger = manager.create(Ledger::default, ())?;
    let worker = |index: u32| {
        let handles = (numbers.clone(), sum.clone(), ledger.clone());
        Process::new(work, handles).name(format!("Worker-{index}"))
    };
    let mut workers = [1, 2, 3].map(worker);
    for worker in &mut workers {
        worker.start()?;
    }
    for number in 1..=1_000 {
        numbers.put(&number)?; // waits while a hundred are there
    }
    numbers.join()?; // all are done, not only taken
    println!("sum of 1 to 1000: {}", sum.get()?);
    numbers.close()?; // the workers' loops end
    for worker in &mut workers {
        worker.join()??;
    }
    println!("{} numbers were taken", ledger.call(Ledger::total, ())?);
    Ok(())
}
