use procession::ThreadPool;

fn main() {
    let pool = ThreadPool::new(1).unwrap();
    let words = vec![String::from("a")];
    let _ = pool.apply(|| words.len(), ());
}
