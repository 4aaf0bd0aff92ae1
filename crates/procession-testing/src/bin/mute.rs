//! Never says hello, and never ends by itself.

fn main() {
    loop {
        std::thread::park();
    }
}
