//! What cannot be done with shared data, and what its user is told.

use crate::{LIMIT, finish, is_patterned, patterned};
use procession::{Pool, Shared, SharedSlice};
use procession_testing::Harness;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes one thing and reads another: an id as a slice.
#[derive(Debug)]
struct Forged<T>(u64, Option<T>);

impl<T> Serialize for Forged<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Forged<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(0, Some(value)))
    }
}

#[procession::test]
fn ids_that_nobody_sent_are_errors_on_both_sides() {
    let _harness = Harness::start("forged ids", LIMIT);
    let pool = Pool::new(1).unwrap();
    let read = |forged: Forged<SharedSlice<u64>>| forged.1.map(|slice| slice.len());
    let read_shared = |forged: Forged<Shared<String>>| forged.1.map(|shared| shared.len());
    let make = |id: u64| Forged::<SharedSlice<u64>>(id, None);
    for id in [0, 1, 12_345, u64::MAX] {
        let unknown = |error: procession::Error| {
            let text = error.to_string();
            assert!(error.is_codec() && text.contains(&format!("{id:#x}")), "{text}");
        };
        unknown(pool.apply(read, (Forged(id, None),)).unwrap_err());
        unknown(pool.apply(read_shared, (Forged(id, None),)).unwrap_err());
        unknown(pool.apply(make, (id,)).unwrap_err());
    }
    assert_eq!(pool.stats().respawns, 0, "the worker lives on");
    finish(pool);
}

#[procession::test]
fn data_of_another_type_is_an_error() {
    let _harness = Harness::start("another type", LIMIT);
    let pool = Pool::new(1).unwrap();
    #[derive(Serialize)]
    struct As<T, U>(T, std::marker::PhantomData<fn() -> U>);
    impl<'de, T, U: Deserialize<'de>> Deserialize<'de> for As<T, U>
    where
        T: From<U>,
    {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Ok(Self(T::from(U::deserialize(deserializer)?), std::marker::PhantomData))
        }
    }
    #[derive(Serialize)]
    struct Numbers(SharedSlice<u64>);
    impl From<SharedSlice<f32>> for Numbers {
        fn from(_: SharedSlice<f32>) -> Self {
            unreachable!("these are no floats")
        }
    }
    impl From<Shared<String>> for Numbers {
        fn from(_: Shared<String>) -> Self {
            unreachable!("this is no text")
        }
    }
    let slice = patterned(10);
    let floats = As::<_, SharedSlice<f32>>(Numbers(slice.clone()), std::marker::PhantomData);
    let text = As::<_, Shared<String>>(Numbers(slice.clone()), std::marker::PhantomData);
    let take_floats = |_: As<Numbers, SharedSlice<f32>>| 1;
    let take_text = |_: As<Numbers, Shared<String>>| 1;
    for error in [
        pool.apply(take_floats, (floats,)).unwrap_err(),
        pool.apply(take_text, (text,)).unwrap_err(),
    ] {
        assert!(error.is_codec() && error.to_string().contains("of another type"), "{error}");
    }
    // A worker that gives a slice back as what it is not.
    let lie = |slice: SharedSlice<u64>| {
        As::<_, SharedSlice<f32>>(Numbers(slice), std::marker::PhantomData)
    };
    let error = pool.apply(lie, (slice,)).map(|_| ()).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("of another type"), "{error}");
    finish(pool);
}

#[procession::test]
fn what_a_worker_makes_stays_there() {
    let _harness = Harness::start("data of a worker's own", LIMIT);
    let pool = Pool::new(1).unwrap();
    let error = pool.apply(|| SharedSlice::new(&[1_u8]).unwrap(), ()).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("made in a worker"), "{error}");
    let error = pool.apply(|| vec![Shared::new(1_u8).unwrap()], ()).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("made in a worker"), "{error}");
    finish(pool);
}

#[procession::test]
fn shared_data_is_encoded_with_tasks_alone() {
    let _harness = Harness::start("encoding elsewhere", LIMIT);
    let slice = SharedSlice::new(&[1_u8]).unwrap();
    let error = serde_json::to_string(&slice).unwrap_err();
    assert!(error.to_string().contains("only with a task"), "{error}");
}

#[procession::test]
fn more_shared_data_than_a_call_can_have_is_refused() {
    let _harness = Harness::start("too much shared data", LIMIT);
    let pool = Pool::new(1).unwrap();
    let slices: Vec<_> = (0..257).map(|n| SharedSlice::new(&[n]).unwrap()).collect();
    let sum = |slices: Vec<SharedSlice<u64>>| slices.iter().flatten().sum::<u64>();
    let most = slices[..256].to_vec();
    assert_eq!(pool.apply(sum, (most.clone(),)).unwrap(), 255 * 128);
    let error = pool.apply(sum, (slices.clone(),)).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("256"), "{error}");
    let error = Shared::new(slices).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("256"), "{error}");
    let error = Shared::new(most.clone()).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("256"), "{error:?}");
    let bundle = Shared::new(most[1..].to_vec()).unwrap();
    let sum = |bundle: Shared<Vec<SharedSlice<u64>>>| bundle.iter().flatten().sum::<u64>();
    assert_eq!(pool.apply(sum, (bundle,)).unwrap(), 255 * 128);
    finish(pool);
}

#[procession::test]
fn a_write_through_a_worker_s_view_costs_that_worker_alone() {
    let _harness = Harness::start("a write to shared data", LIMIT);
    let pool = Pool::new(2).unwrap();
    let slice = patterned(10_000);
    let write = |slice: SharedSlice<u64>| {
        let address = slice.as_ptr().cast_mut();
        // SAFETY: the memory is mapped for reading alone, so this ends the process before anything
        // else runs.
        unsafe { address.write_volatile(0) };
    };
    let error = pool.apply(write, (slice.clone(),)).unwrap_err();
    assert!(error.is_worker_lost() && error.signal() == Some(libc::SIGSEGV), "{error}");
    let check = |slice: SharedSlice<u64>| is_patterned(&slice, 0);
    assert!(pool.map(check, (0..10).map(|_| slice.clone())).unwrap().iter().all(|good| *good));
    assert!(is_patterned(&slice, 0));
    finish(pool);
}

/// How often this process has decoded a [`Shy`].
static DECODED: AtomicU64 = AtomicU64::new(0);

/// Panics while it is decoded, the first time in a process.
#[derive(Serialize)]
struct Shy(u8);

impl<'de> Deserialize<'de> for Shy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert!(DECODED.fetch_add(1, Ordering::SeqCst) > 0, "too shy");
        u8::deserialize(deserializer).map(Self)
    }
}

#[procession::test]
fn a_context_that_cannot_be_decoded_is_tried_again() {
    let _harness = Harness::start("a shy context", LIMIT);
    let pool = Pool::new(1).unwrap();
    let shy = Shared::new(Shy(7)).unwrap();
    let read = |shy: Shared<Shy>| shy.0;
    let error = pool.apply(read, (shy.clone(),)).unwrap_err();
    assert_eq!(error.panic_message(), Some("too shy"));
    assert_eq!(pool.apply(read, (shy,)).unwrap(), 7);
    finish(pool);
}
