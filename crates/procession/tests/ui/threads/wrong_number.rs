use procession::ThreadPool;

fn main() {
    let pool = ThreadPool::new(1).unwrap();
    let _ = pool.apply(|x: u32, y: u32| x + y, (1,));
}
