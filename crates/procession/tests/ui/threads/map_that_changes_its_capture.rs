use procession::ThreadPool;
use std::cell::Cell;

fn main() {
    let pool = ThreadPool::new(1).unwrap();
    let sum = Cell::new(0);
    let _ = pool.starmap(move |x: u32| sum.set(sum.get() + x), [(1,), (2,)]);
}
