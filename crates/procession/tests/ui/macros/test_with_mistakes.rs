#[procession::test(timeout = 5)]
async fn squares(x: u64) {
    let _ = x;
}

fn main() {}
