use procession::ThreadPool;
use std::rc::Rc;

fn main() {
    let pool = ThreadPool::new(1).unwrap();
    let shared = Rc::new(1);
    let _ = pool.apply(move |x: u32| x + *shared, (2,));
}
