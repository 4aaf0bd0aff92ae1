//! Workers that go mad, beside honest ones.

use procession_testing::Harness;
use procession_testing::hostile::Arena;
use std::time::Duration;

/// Rounds with each seed. The command `hostile` runs more.
const ROUNDS: u64 = 100;

#[procession::test]
fn a_worker_that_goes_mad_costs_its_own_task_and_nothing_else() {
    let _harness = Harness::start("mad workers", Duration::from_secs(240));
    for seed in [11, 12, 13] {
        let arena = Arena::open();
        arena.run(seed, ROUNDS, |round| println!("seed {seed}, round {round}"));
        let tally = arena.close();
        println!("{tally:?}");
        assert_eq!(tally.rounds, ROUNDS);
        assert!(tally.protocol > 0 && tally.honest > tally.lost_with_the_mad, "{tally:?}");
    }
}
