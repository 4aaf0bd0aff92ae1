//! One holder at a time, and none that is missed.

#[cfg(loom)]
mod models;

#[cfg(not(loom))]
mod plain {
    use crate::primitive::{AtomicU64, Ordering};
    use crate::roster::{ROSTER_BYTES, Roster, tests::rosters};
    use crate::sync::{Acquired, Lock};
    use std::sync::Arc;
    use std::time::Duration;

    fn locks(count: usize) -> Vec<Lock> {
        rosters(count, 64).into_iter().map(|roster| Lock::new(roster, ROSTER_BYTES)).collect()
    }

    #[test]
    fn one_holder_at_a_time() {
        let locks = locks(4);
        let (inside, sum) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for lock in &locks {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        assert_eq!(lock.acquire(None).unwrap(), Some(Acquired::Clean));
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                        let before = sum.load(Ordering::Relaxed);
                        sum.store(before + 1, Ordering::Relaxed);
                        inside.fetch_sub(1, Ordering::Relaxed);
                        assert!(lock.release());
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 80_000);
    }

    #[test]
    fn a_lock_that_is_held_is_not_got_in_time() {
        let locks = locks(2);
        assert!(locks[0].try_acquire().unwrap().is_some());
        assert!(locks[0].is_own() && locks[1].is_held() && !locks[1].is_own());
        assert_eq!(locks[1].try_acquire().unwrap(), None);
        assert_eq!(locks[1].acquire(Some(Duration::from_millis(3))).unwrap(), None);
        assert!(locks[0].release() && !locks[1].is_held() && !locks[0].release());
        assert_eq!(locks[1].try_acquire().unwrap(), Some(Acquired::Clean));
    }

    #[test]
    fn the_lock_of_one_that_is_gone_is_inherited_once() {
        let mut locks = locks(3);
        let _ = locks.remove(0).acquire(None).unwrap();
        assert_eq!(locks[0].acquire(None).unwrap(), Some(Acquired::Inherited));
        assert_eq!(locks[1].try_acquire().unwrap(), None);
        locks[0].release();
        assert_eq!(locks[1].try_acquire().unwrap(), Some(Acquired::Clean));
    }

    #[test]
    fn who_waits_for_one_that_goes_gets_the_lock() {
        let mut locks = locks(4);
        let holder = locks.pop().unwrap();
        let _ = holder.acquire(None).unwrap();
        std::thread::scope(|scope| {
            let waiting: Vec<_> = locks
                .iter()
                .map(|lock| {
                    scope.spawn(|| {
                        let how = lock.acquire(None).unwrap().unwrap();
                        lock.release();
                        how
                    })
                })
                .collect();
            drop(holder);
            let all: Vec<_> = waiting.into_iter().map(|one| one.join().unwrap()).collect();
            assert!(all.iter().filter(|how| **how == Acquired::Inherited).count() <= 1, "{all:?}");
        });
    }

    #[test]
    fn any_word_is_survived() {
        let rosters: Vec<Arc<Roster>> = rosters(1, 64);
        let lock = Lock::new(rosters[0].clone(), ROSTER_BYTES);
        let word = rosters[0].segment().word32(ROSTER_BYTES);
        for garbage in [1 << 31, 1, 1024, 0x7fff_ffff, u32::MAX, 0xdead_beef] {
            word.store(garbage, Ordering::Relaxed);
            let how = lock.acquire(Some(Duration::from_secs(5))).unwrap().unwrap();
            assert_eq!(how == Acquired::Clean, garbage == 1 << 31, "{garbage:x}");
            assert!(lock.release());
        }
    }
}
