#[procession::main(flavor = "multi_thread")]
async fn start<T>(argument: T) {
    drop(argument);
}

fn main() {}
